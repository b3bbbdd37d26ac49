package dev.walsh.kernels.nn;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Causal softmax attention over all heads: libtorch's, by the fastest of its kernels, but for bf16 on the CPU, where the backward of its flash
 * attention is some fifty times slower than three products.
 */
public final class CausalAttention {
  // (context,context), minus infinity above the diagonal; only where the scores are made explicitly.
  private final @Nullable Tensor mask;

  /** @param context the most tokens of a sequence */
  public CausalAttention(int context, Weights.Path path) {
    mask = path.device() == Device.CPU && path.dtype() == Dtype.BF16 ? mask(context, path) : null;
  }

  private static Tensor mask(int context, Weights.Path path) {
    try (var scope = Scope.withoutGradients()) {
      var everywhere = torch.full(new long[] {context, context}, new Scalar(Double.NEGATIVE_INFINITY), path.device().options(path.dtype()));
      return scope.keep(everywhere.triu(1));
    }
  }

  /** heads: (B,H,T,D) each -> the concatenated heads (B,T,C). */
  public Tensor apply(Rope.Heads heads) {
    var q = heads.query();
    var out = mask == null ? fused(q, heads.key(), heads.value()) : explicit(q, heads.key(), heads.value(), mask);
    return out.transpose(1, 2).reshape(q.size(0), q.size(2), q.size(1) * q.size(3));
  }

  private static Tensor fused(Tensor q, Tensor k, Tensor v) {
    if (q.is_cuda()) AttentionBackend.choose(q, k, v);
    return scaledDotProduct(q, k, v);
  }

  /** q, k, v: (B,H,T,D) -> (B,H,T,D), on the GPU by the backend that is in force. */
  static Tensor scaledDotProduct(Tensor q, Tensor k, Tensor v) {
    return torch.scaled_dot_product_attention(q, k, v, new TensorOptional(), 0, true, new DoubleOptional(), false);
  }

  private static Tensor explicit(Tensor q, Tensor k, Tensor v, Tensor mask) {
    long b = q.size(0);
    long heads = q.size(1);
    long t = q.size(2);
    long d = q.size(3);
    var scaled = q.mul(new Scalar(1 / Math.sqrt(d))).reshape(b * heads, t, d);
    var scores = torch.baddbmm(mask.narrow(0, 0, t).narrow(1, 0, t), scaled, k.reshape(b * heads, t, d).transpose(1, 2));
    return scores.softmax(-1).bmm(v.reshape(b * heads, t, d)).view(b, heads, t, d);
  }
}
