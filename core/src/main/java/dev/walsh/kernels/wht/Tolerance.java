package dev.walsh.kernels.wht;

import dev.walsh.tensor.Dtype;
import org.bytedeco.pytorch.Tensor;

/** How far a kernel may be from float64 before it is wrong and not rounded. */
final class Tolerance {
  private Tolerance() {}

  /** The largest difference, relative to the largest value. */
  static double error(Tensor actual, Tensor exact) {
    return actual.to(Dtype.F64.scalarType()).sub(exact).abs().max().item_double() / exact.abs().max().item_double();
  }

  /** @throws IllegalStateException beyond the tolerance, and for NaN */
  static void check(String what, double error, Dtype dtype) {
    double most = switch (dtype) {
      case F64 -> 1e-12;
      case F32 -> 1e-5;
      case BF16 -> 0x1p-7;
      case F16 -> 0x1p-10;
      case I64, I8 -> throw new IllegalArgumentException("no kernel computes in " + dtype);
    };
    if (!(error <= most)) throw new IllegalStateException(what + " in " + dtype + " is off by " + error + " of its largest value");
  }
}
