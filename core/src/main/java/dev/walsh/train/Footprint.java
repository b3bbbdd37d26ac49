package dev.walsh.train;

import dev.walsh.model.Gpt;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;

/**
 * The memory that training holds, computed from tensors: what is allocated is counted, what a pass keeps for its backward is added up from
 * the parts' own costs.
 *
 * @param weights bytes of masters and, where the dtypes differ, of the values that the model computes with; and of a matrix that layers share
 * @param gradients bytes of the gradients, in both dtypes where they differ
 * @param moments bytes of the optimizer's two moments
 * @param activations bytes kept from forward to backward, for one pass
 */
public record Footprint(long weights, long gradients, long moments, long activations) {
  /** For passes over {@code sequences} sequences of {@code length} tokens. */
  static Footprint of(Gpt model, Weights weights, int sequences, int length) {
    long values = 0;
    long masters = 0;
    for (var w : weights.all()) {
      masters += w.master().nbytes();
      values += w.value() == w.master() ? 0 : w.value().nbytes();
    }
    double saved = model.cost(length).saved() * sequences * length;
    // The logits are widened for the loss, which keeps them once more.
    double wideLogits = weights.dtype() == Dtype.F32 || weights.dtype() == Dtype.F64
        ? 0
        : (double) model.config().paddedVocabulary() * sequences * length * Dtype.F32.bytes();
    return new Footprint(masters + values + weights.sharedBytes(), masters + values, 2 * masters,
        Math.round(saved * weights.dtype().bytes() + wideLogits));
  }

  public long total() {
    return weights + gradients + moments + activations;
  }
}
