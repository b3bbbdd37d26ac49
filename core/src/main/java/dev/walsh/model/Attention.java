package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.kernels.nn.CausalAttention;
import dev.walsh.kernels.nn.Rope;
import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Causal softmax attention over all heads, without its output projection. */
final class Attention {
  private final int width;
  private final Tensor qkv;
  private final Rope rope;
  private final CausalAttention softmax;

  Attention(ModelConfig config, Rope rope, CausalAttention softmax, Weights.Path path) {
    this.width = config.width();
    this.rope = rope;
    this.softmax = softmax;
    this.qkv = path.normal("qkv.weight", Init.DEVIATION, 3L * width, width);
  }

  /** n: (B,T,C) -> the concatenated heads (B,T,C). */
  Tensor apply(Tensor n) {
    return softmax.apply(rope.apply(torch.linear(n, qkv)));
  }

  /** @param length T, the tokens that attend to one another; half of the pairs are masked */
  Cost cost(int length) {
    var products = new Cost(0, 2.0 * length * width, 4.0 * length * width, 4.0 * width);
    return Cost.matrix(width, 3L * width).plus(products);
  }
}
