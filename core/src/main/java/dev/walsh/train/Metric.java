package dev.walsh.train;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import org.jspecify.annotations.Nullable;

/**
 * One line of {@code metrics.jsonl}: a training step, or a validation after one.
 *
 * @param step optimizer steps taken, counted from 1; 0 is the untrained model
 * @param tokens trained on so far
 * @param seconds spent in training steps so far, validation and checkpoints left out
 * @param loss of the step's batch, in nats a token
 * @param learningRate of the step
 * @param gradientNorm before clipping
 * @param tokensPerSecond of this step
 * @param mfu model FLOPs utilisation: the share of the measured matrix-product rate that the step reached
 * @param memoryMib held by weights, gradients, moments and activations
 * @param validationLoss in nats a token, on the validation lines alone
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Metric(long step, long tokens, double seconds, @Nullable Double loss, @JsonProperty("lr") @Nullable Double learningRate,
    @JsonProperty("grad_norm") @Nullable Double gradientNorm, @JsonProperty("tokens_per_s") @Nullable Double tokensPerSecond,
    @Nullable Double mfu, @JsonProperty("memory_mib") @Nullable Double memoryMib,
    @JsonProperty("val_loss") @Nullable Double validationLoss) {
  /** The line of a validation. */
  public static Metric validation(long step, long tokens, double seconds, double loss) {
    return new Metric(step, tokens, seconds, null, null, null, null, null, null, loss);
  }
}
