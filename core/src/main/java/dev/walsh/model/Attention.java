package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection.Mix;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/** Causal softmax attention over all heads, without its output projection. */
final class Attention {
  /** The name of the merged projection: the weights of the queries, keys and values, (3C,C). */
  static final String QKV = "qkv.weight";

  private final int heads;
  private final int width;
  private final Tensor qkv;
  private final Rope rope;
  private final Tensor causal;

  Attention(ModelConfig config, Rope rope, Weights.Path path) {
    this.heads = config.heads();
    this.width = config.width();
    this.rope = rope;
    this.qkv = qkv(config, path);
    this.causal = torch
        .full(new long[] {config.context(), config.context()}, new Scalar(Double.NEGATIVE_INFINITY), path.device().options(path.dtype()))
        .triu(1);
  }

  /** Both forms of a Hadamard projection begin as the same function. */
  private static Tensor qkv(ModelConfig config, Weights.Path path) {
    long width = config.width();
    var unchanged = config.projection().mix() != Mix.HADAMARD_FOLDED;
    return path.normal(QKV, Init.DEVIATION, unchanged ? UnaryOperator.identity() : new Folding(config)::fold, 3 * width, width);
  }

  /** n: (B,T,C) -> the concatenated heads (B,T,C). */
  Tensor apply(Tensor n) {
    long b = n.size(0);
    long t = n.size(1);
    long d = width / heads;
    var packed = torch.linear(n, qkv);
    var rotated = rope.apply(packed.narrow(2, 0, 2L * width).view(b, t, 2L * heads, d));
    var q = rotated.narrow(2, 0, heads).transpose(1, 2);
    var k = rotated.narrow(2, heads, heads).transpose(1, 2);
    var v = packed.narrow(2, 2L * width, width).view(b, t, heads, d).transpose(1, 2);
    return attend(q, k, v).transpose(1, 2).reshape(b, t, width);
  }

  /** q, k, v: (B,H,T,D) -> (B,H,T,D). */
  private Tensor attend(Tensor q, Tensor k, Tensor v) {
    // libtorch's flash attention on the CPU is fast but for its backward in bf16, which is some fifty times slower than three products.
    if (q.is_cpu() && Dtype.of(q) == Dtype.BF16) return explicit(q, k, v);
    return torch.scaled_dot_product_attention(q, k, v, new TensorOptional(), 0, true, new DoubleOptional(), false);
  }

  private Tensor explicit(Tensor q, Tensor k, Tensor v) {
    long b = q.size(0);
    long t = q.size(2);
    long d = q.size(3);
    var scaled = q.mul(new Scalar(1 / Math.sqrt(d))).reshape(b * heads, t, d);
    var mask = causal.narrow(0, 0, t).narrow(1, 0, t);
    var scores = torch.baddbmm(mask, scaled, k.reshape(b * heads, t, d).transpose(1, 2));
    return scores.softmax(-1).bmm(v.reshape(b * heads, t, d)).view(b, heads, t, d);
  }

  /** @param length T, the tokens that attend to one another; half of the pairs are masked */
  Cost cost(int length) {
    var products = new Cost(0, 2.0 * length * width, 4.0 * length * width, 4.0 * width);
    return Cost.matrix(width, 3L * width).plus(products);
  }
}
