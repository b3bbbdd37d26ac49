package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection.Mix;
import dev.walsh.kernels.nn.CausalAttention;
import dev.walsh.kernels.nn.Linear;
import dev.walsh.kernels.nn.Rope;
import dev.walsh.tensor.Weights;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;

/** Causal softmax attention over all heads, without its output projection. */
final class Attention {
  /** The name of the merged projection: the weights of the queries, keys and values, (3C,C). */
  static final String QKV = "qkv.weight";

  private final int width;
  private final Tensor qkv;
  private final Rope rope;
  private final CausalAttention softmax;
  private final Kernels kernels;

  Attention(ModelConfig config, Rope rope, CausalAttention softmax, Weights.Path path, Kernels kernels) {
    this.width = config.width();
    this.rope = rope;
    this.softmax = softmax;
    this.kernels = kernels;
    this.qkv = qkv(config, path);
  }

  /** Both forms of a Hadamard projection begin as the same function. */
  private static Tensor qkv(ModelConfig config, Weights.Path path) {
    long width = config.width();
    var unchanged = config.projection().mix() != Mix.HADAMARD_FOLDED;
    return path.normal(QKV, Init.DEVIATION, unchanged ? UnaryOperator.identity() : new Folding(config)::fold, 3 * width, width);
  }

  /** n: (B,T,C) -> the concatenated heads (B,T,C). */
  Tensor apply(Tensor n) {
    if (kernels == Kernels.PLAIN) return softmax.apply(rope.plain(Linear.plain(n, qkv)));
    return softmax.apply(rope.apply(Linear.apply(n, qkv)));
  }

  /** @param length T, the tokens that attend to one another; half of the pairs are masked */
  Cost cost(int length) {
    // Queries, keys, values and the heads' outputs are kept.
    var products = new Cost(0, 2.0 * length * width, 4.0 * length * width, 4.0 * width, 0);
    // RoPE turns queries and keys where they are; backward it packs three gradients into one.
    return Cost.matrix(width, 3L * width).plus(products).moving(10.0 * width);
  }
}
