package dev.walsh.kernels.nn;

import dev.walsh.tensor.CudaGraph;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.MatrixProduct;
import dev.walsh.tensor.Scope;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A product with a matrix of the model, x Wᵀ, on the GPU in bf16 by the fastest algorithm for its shape, forward and backward, where it comes
 * again and again: in training, and in what a CUDA graph replays. What else only runs meets many shapes, each of which would have to be
 * measured: that is libtorch's, but for few rows and matrices in bytes. The matrix may be one that is not learned; it then has no gradient.
 */
public final class Linear {
  private Linear() {}

  /** x: (…,in), weight: (out,in), perhaps an {@link Int8Matrix} -> (…,out). */
  public static Tensor apply(Tensor x, Tensor weight) {
    if (isOurs(x, weight)) return computed(null, x, weight);
    var ofFewRows = CudaFewRows.multiply(x, weight, Dtype.of(x));
    if (ofFewRows != null) return ofFewRows;
    if (Int8Matrix.is(weight)) return Int8Matrix.multiply(x, weight);
    return CpuFewRows.covers(x, weight) ? CpuFewRows.multiply(x, weight) : plain(x, weight);
  }

  /**
   * The same with sums that stay float32 where a GPU computes them in 16 bits and no gradient is wanted: rounded, the greatest of many are
   * often equal.
   */
  public static Tensor wide(Tensor x, Tensor weight) {
    if (!x.is_cuda() || Dtype.of(x).bytes() != Dtype.BF16.bytes() || CustomGradient.isWanted(x, weight)) return apply(x, weight);
    var ofFewRows = CudaFewRows.multiply(x, weight, Dtype.F32);
    if (ofFewRows != null) return ofFewRows;
    long in = x.size(-1);
    var matrix = Int8Matrix.is(weight) ? Int8Matrix.unpack(weight, in, Dtype.of(x)) : weight;
    var shape = x.shape();
    shape[shape.length - 1] = matrix.size(0);
    return torch.mm(x.reshape(-1, in), matrix.t(), ScalarType.Float).view(shape);
  }

  /** residual + x Wᵀ, added by the product itself as it writes: residual (…,out); only where {@link #isOurs}. */
  public static Tensor onto(Tensor residual, Tensor x, Tensor weight) {
    return computed(residual, x, weight);
  }

  /** The same in libtorch's own operator. */
  public static Tensor plain(Tensor x, Tensor weight) {
    return torch.linear(x, weight);
  }

  /** Whether the product is not libtorch's. */
  public static boolean isOurs(Tensor x, Tensor weight) {
    if (!x.is_cuda() || Dtype.of(x) != Dtype.BF16) return false;
    if (CustomGradient.isWanted(x, weight)) return true;
    return CudaGraph.isPreparing() && Dtype.of(weight) == Dtype.BF16 && !CudaFewRows.covers(x, weight);
  }

  private static Tensor computed(@Nullable Tensor residual, Tensor x, Tensor weight) {
    long in = weight.size(1);
    long out = weight.size(0);
    Tensor y;
    Tensor rows;
    try (var scope = Scope.withoutGradients()) {
      rows = scope.escape(x.detach().reshape(-1, in).contiguous());
      var product = torch.empty(new long[] {rows.size(0), out}, x.options(), null);
      var added = residual == null ? null : residual.reshape(-1, out).contiguous();
      MatrixProduct.into(product, rows, false, weight, true, added);
      var shape = x.shape();
      shape[shape.length - 1] = out;
      y = scope.escape(product.view(shape));
    }
    var inputs = residual == null ? List.of(x, weight) : List.of(x, weight, residual);
    if (!CustomGradient.isWanted(inputs.toArray(Tensor[]::new))) return y;
    CustomGradient.attach(inputs, List.of(y), given -> gradients(given.getFirst(), x, rows, weight).subList(0, inputs.size()));
    return y;
  }

  /** Of x, the weight if it is learned, and what is added, which is the upstream's own. */
  private static List<@Nullable Tensor> gradients(@Nullable Tensor upstream, Tensor x, Tensor rows, Tensor weight) {
    if (upstream == null) return Arrays.asList(null, null, null);
    var dy = upstream.reshape(-1, weight.size(0)).contiguous();
    var dx = torch.empty_like(rows);
    MatrixProduct.into(dx, dy, false, weight, false, null);
    @Nullable
    Tensor dw = null;
    if (weight.requires_grad()) {
      dw = torch.empty_like(weight);
      MatrixProduct.into(dw, dy, true, rows, false, null);
    }
    return Arrays.asList(dx.view(x.shape()), dw, upstream);
  }
}
