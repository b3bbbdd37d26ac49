package dev.walsh.train;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.TrainConfig;
import dev.walsh.kernels.nn.CrossEntropy;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;

/**
 * The memory that one rank holds in training, in bytes, computed from tensors: what is allocated is counted, what a pass keeps for its backward
 * is added up from the parts' own costs. On an H100 the GPU held within 3% of it; on the CPU, where libtorch's operators keep more than the
 * kernels of the GPU, it is a lower bound.
 *
 * @param weights masters and, where the dtypes differ, the values that the model computes with; and a matrix that layers share
 * @param gradients of backward, their sums over passes, and the buckets in which ranks exchange them
 * @param moments the optimizer's two
 * @param activations kept from forward to backward, for one pass
 * @param logits as many as exist at once, and what the loss makes of them
 * @param libraries what CUDA and its libraries take for themselves
 */
public record Footprint(long weights, long gradients, long moments, long activations, long logits, long libraries) {
  /** Context, code and workspaces: 0.4 to 0.7 GiB on an H100, by what it held beyond the tensors. */
  private static final long CUDA_BYTES = 600L << 20;

  /**
   * Of one rank's share of a step.
   *
   * @param weights may be without memory
   * @param device on which the model would be trained
   */
  static Footprint of(Gpt model, Weights weights, Device device, Share share, int length) {
    var dtype = weights.dtype();
    long rows = (long) share.microBatch() * length;
    long values = 0;
    long masters = 0;
    for (var w : weights.all()) {
      masters += w.master().nbytes();
      values += w.elements() * dtype.bytes();
    }
    boolean narrow = values < masters;
    double saved = model.cost(length).saved() * rows * dtype.bytes();
    return new Footprint((narrow ? masters + values : masters) + weights.sharedBytes(), gradients(values, masters, device, share),
        2 * masters, Math.round(saved),
        CrossEntropy.bytes(rows, model.config().paddedVocabulary(), dtype, device), device == Device.CUDA ? CUDA_BYTES : 0);
  }

  private static long gradients(long values, long masters, Device device, Share share) {
    boolean sums = share.passes() > 1;
    boolean narrow = values < masters;
    if (share.ranks() > 1) {
      boolean wideExchange = device != Device.CUDA;
      return values + (wideExchange ? masters : values) + (sums && narrow && !wideExchange ? masters : 0);
    }
    // Elsewhere the optimizer casts gradients to the masters' dtype, on the GPU it reads them where they are.
    return values + (sums || narrow && device != Device.CUDA ? masters : 0);
  }

  /** Of a model that need not exist, as the first of so many ranks would train it. */
  public static Footprint of(ModelConfig shape, TrainConfig recipe, int ranks, Device device, Dtype dtype, Execution execution) {
    var weights = new Weights(Device.META, dtype, 0);
    try {
      var model = new Gpt(shape, weights, execution.kernels());
      return of(model, weights, device, Share.of(recipe, 0, ranks), recipe.length());
    } finally {
      weights.close();
    }
  }

  public long total() {
    return weights + gradients + moments + activations + logits + libraries;
  }
}
