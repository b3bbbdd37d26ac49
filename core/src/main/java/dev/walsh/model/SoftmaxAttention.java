package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.kernels.nn.CausalAttention;
import dev.walsh.kernels.nn.Rope;
import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.Tensor;

/** Attention whose weights are the softmax of inner products; it remembers all keys and values. */
final class SoftmaxAttention implements Attention {
  private final int width;
  private final QkvProjection qkv;
  private final Rope rope;
  private final CausalAttention softmax;
  private final Kernels kernels;

  SoftmaxAttention(ModelConfig config, Rope rope, CausalAttention softmax, Weights.Path path, Kernels kernels) {
    width = config.width();
    this.rope = rope;
    this.softmax = softmax;
    this.kernels = kernels;
    qkv = new QkvProjection(config, path, kernels);
  }

  @Override
  public Tensor apply(Tensor n) {
    var packed = qkv.apply(n);
    return softmax.apply(kernels == Kernels.PLAIN ? rope.plain(packed) : rope.apply(packed));
  }

  @Override
  public Tensor apply(Tensor n, DecodeState.Pass pass, int layer) {
    return qkv.attend(n, pass, layer);
  }

  /** Half of the pairs are masked. */
  @Override
  public Cost cost(int length) {
    // Queries, keys, values and the heads' outputs are kept.
    var products = new Cost(0, 2.0 * length * width, 4.0 * length * width, 4.0 * width, 0);
    // RoPE turns queries and keys where they are; backward it packs three gradients into one.
    return qkv.cost().plus(products).moving(10.0 * width);
  }
}
