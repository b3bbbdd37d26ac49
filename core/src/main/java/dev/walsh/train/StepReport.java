package dev.walsh.train;

/**
 * What one optimizer step showed.
 *
 * @param step counted from 1
 * @param tokens trained on so far
 * @param loss mean cross-entropy of the step's batch, in nats a token
 * @param learningRate of this step
 * @param gradientNorm before clipping
 * @param seconds that the step took
 * @param stopping whether the caller, or that of another rank, asked for this step to be the last
 */
public record StepReport(long step, long tokens, double loss, double learningRate, double gradientNorm, double seconds,
    boolean stopping) {
  public boolean isFinite() {
    return Double.isFinite(loss) && Double.isFinite(gradientNorm);
  }
}
