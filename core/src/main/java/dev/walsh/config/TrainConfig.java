package dev.walsh.config;

/**
 * How a model is trained: AdamW, a linear warm-up and a cosine decay, over a fixed number of tokens.
 *
 * @param tokens tokens to train on in all
 * @param batchTokens tokens of one optimizer step
 * @param microBatch sequences of one forward and backward pass; a step accumulates as many passes as it needs
 * @param length tokens of one sequence
 * @param learningRate the peak
 * @param finalLearningRate what the cosine ends at, as a fraction of the peak
 * @param warmup the share of all steps over which the learning rate rises
 * @param beta1 AdamW's decay of the first moment
 * @param beta2 AdamW's decay of the second moment
 * @param weightDecay AdamW's, on matrices alone
 * @param clip the largest global norm of a gradient
 * @param seed of the initial weights and of the order of the data
 */
public record TrainConfig(long tokens, int batchTokens, int microBatch, int length, double learningRate, double finalLearningRate,
    double warmup, double beta1, double beta2, double weightDecay, double clip, long seed) {
  public TrainConfig {
    require(tokens > 0, "--tokens", tokens, "be positive");
    require(length > 0, "--length", length, "be positive");
    require(batchTokens > 0 && batchTokens % length == 0, "--batch-tokens", batchTokens, "be a multiple of the sequence length " + length);
    require(microBatch > 0, "--micro-batch", microBatch, "be positive");
    require(batchTokens / length % microBatch == 0, "--micro-batch", microBatch,
        "divide the " + batchTokens / length + " sequences of a step");
    require(learningRate > 0, "--lr", learningRate, "be positive");
    require(finalLearningRate >= 0 && finalLearningRate <= 1, "--final-lr", finalLearningRate, "lie in 0 … 1, a fraction of the peak");
    require(warmup >= 0 && warmup < 1, "--warmup", warmup, "lie in 0 … 1, a share of all steps");
    require(beta1 >= 0 && beta1 < 1, "beta1", beta1, "lie in 0 … 1");
    require(beta2 >= 0 && beta2 < 1, "beta2", beta2, "lie in 0 … 1");
    require(weightDecay >= 0, "--weight-decay", weightDecay, "not be negative");
    require(clip > 0, "--clip", clip, "be positive");
  }

  private static void require(boolean holds, String name, Object value, String must) {
    if (!holds) throw new UserError(name + " is " + value + "; it must " + must);
  }

  /** Optimizer steps in all; the last may pass the number of tokens a little. */
  public long steps() {
    return Math.ceilDiv(tokens, batchTokens);
  }

  /** Sequences of one optimizer step. */
  public int batch() {
    return batchTokens / length;
  }

  /** Forward and backward passes of one optimizer step. */
  public int accumulation() {
    return batch() / microBatch;
  }

  /** With passes of another size, which changes no result but for rounding. */
  public TrainConfig withMicroBatch(int sequences) {
    return new TrainConfig(tokens, batchTokens, sequences, length, learningRate, finalLearningRate, warmup, beta1, beta2, weightDecay, clip,
        seed);
  }

  public TrainConfig withSeed(long seed) {
    return new TrainConfig(tokens, batchTokens, microBatch, length, learningRate, finalLearningRate, warmup, beta1, beta2, weightDecay,
        clip, seed);
  }
}
