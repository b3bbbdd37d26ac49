package dev.walsh.kernels.nn;

import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A matrix (out,in) in bytes, for what only runs: w ≈ q·s, q from −127 to 127, with one s for each output channel, the greatest absolute value
 * of its row over 127. It is one tensor of int8: a row is q, zeros up to a multiple of 16, and 16 bytes that begin with s as float32. So it can
 * stand wherever a matrix of floats does, and its dtype says what it is.
 *
 * <p>Products of few rows read the bytes as they are, on both devices. For more, the matrix is widened first.
 */
public final class Int8Matrix {
  private static final int ALIGNMENT = 16;
  static final int TRAILER = 16;
  private static final double MOST = 127;
  /** Rows up to which working on the bytes for each row costs less than widening the matrix, which takes as long as some seventy rows. */
  private static final int FEW_ROWS_CPU = 64;

  private Int8Matrix() {}

  /** Whether a matrix is one in bytes. */
  public static boolean is(Tensor matrix) {
    return Dtype.of(matrix) == Dtype.I8;
  }

  /** weight: (out,in), of floats -> the same in bytes, on the same device. */
  public static Tensor pack(Tensor weight) {
    try (var scope = Scope.withoutGradients()) {
      long in = weight.size(1);
      var wide = weight.to(ScalarType.Float);
      var greatest = wide.abs().amax(new long[] {1}, true);
      var scale = greatest.masked_fill(greatest.eq(new Scalar(0)), new Scalar(MOST)).div(new Scalar(MOST));
      var q = wide.div(scale).round().to(ScalarType.Char);
      var padded = torch.constant_pad_nd(q, 0, Math.ceilDiv(in, ALIGNMENT) * ALIGNMENT - in);
      var bytes = scale.contiguous().view(ScalarType.Char);
      return scope.escape(torch.cat(new TensorVector(padded, torch.constant_pad_nd(bytes, 0, TRAILER - bytes.size(1))), 1));
    }
  }

  /** The matrix (out,in) in floats. */
  public static Tensor unpack(Tensor packed, long in, Dtype dtype) {
    // A byte has no more digits than bf16 has, so only the product is rounded.
    return packed.narrow(1, 0, in).to(ScalarType.Float).mul(scales(packed)).to(dtype.scalarType());
  }

  /** (out,1), float32. */
  private static Tensor scales(Tensor packed) {
    return packed.narrow(1, packed.size(1) - TRAILER, Float.BYTES).contiguous().view(ScalarType.Float);
  }

  /** The rows that ids name, widened. ids: (…) int64 -> (…,in). */
  public static Tensor rows(Tensor packed, Tensor ids, long in, Dtype dtype) {
    var rows = unpack(packed.index_select(0, ids.reshape(-1)), in, dtype);
    var shape = new long[(int) ids.dim() + 1];
    System.arraycopy(ids.shape(), 0, shape, 0, shape.length - 1);
    shape[shape.length - 1] = in;
    return rows.view(shape);
  }

  /** x: (…,in), packed: (out,in) in bytes -> (…,out). */
  static Tensor multiply(Tensor x, Tensor packed) {
    return CpuFewRows.covers(x, packed, FEW_ROWS_CPU) ? CpuFewRows.multiply(x, packed) : plain(x, packed);
  }

  /** The same in libtorch's own operators, which the kernels must agree with. */
  static Tensor plain(Tensor x, Tensor packed) {
    return torch.linear(x, unpack(packed, x.size(-1), Dtype.of(x)));
  }
}
