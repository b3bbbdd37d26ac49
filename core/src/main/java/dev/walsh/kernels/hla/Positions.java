package dev.walsh.kernels.hla;

import dev.walsh.tensor.Dtype;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** Where tokens stand in their sequence; computed for each call, since the state has no longest sequence. */
final class Positions {
  // Of RoPE's wavelengths.
  private static final double BASE = 10_000;

  private Positions() {}

  /** first, first + 1, …: (N), float64 on the device of {@code like}; angles of a millionth token would lose their phase in float32. */
  static Tensor of(long first, long n, Tensor like) {
    return torch.arange(new Scalar(first), new Scalar(first + n), like.options().dtype(new ScalarTypeOptional(Dtype.F64.scalarType())));
  }

  /** RoPE over features: i and i + r/2 turn together. features: (B,H,r,N), r even -> the same shape. */
  static Tensor rotated(Tensor features, long first) {
    long half = features.size(2) / 2;
    var wide = features.options().dtype(new ScalarTypeOptional(Dtype.F64.scalarType()));
    var frequencies = torch.arange(new Scalar(0), new Scalar(half), wide).mul_(new Scalar(-Math.log(BASE) / half)).exp_();
    var angles = torch.outer(frequencies, of(first, features.size(3), features));
    var cos = angles.cos().to(features.scalar_type());
    var sin = angles.sin().to(features.scalar_type());
    var a = features.narrow(2, 0, half);
    var b = features.narrow(2, half, half);
    return torch.cat(new TensorVector(a.mul(cos).sub(b.mul(sin)), a.mul(sin).add(b.mul(cos))), 2);
  }
}
