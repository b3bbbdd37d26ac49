package dev.walsh.kernels.nn;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import java.util.List;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

import static org.assertj.core.api.Assertions.assertThat;

/** Comparison of what a kernel computed with the same in float64, up to one rounding to the kernel's dtype. */
final class Exactly {
  /** What float32 arithmetic may leave, against the greatest value. */
  private static final double ARITHMETIC = 2e-6;

  private Exactly() {}

  static void assertRounded(String what, Tensor actual, Tensor exact) {
    var wide = exact.to(Dtype.F64.scalarType());
    var allowed = wide.abs().mul(new Scalar(unit(Dtype.of(actual)))).add(wide.abs().max().mul(new Scalar(ARITHMETIC)));
    var excess = actual.to(Dtype.F64.scalarType()).sub(wide).abs().sub(allowed);
    assertThat(actual.shape()).as(what).isEqualTo(exact.shape());
    assertThat(excess.max().item_double()).as("%s: the error over what is allowed", what).isLessThanOrEqualTo(0);
  }

  private static double unit(Dtype dtype) {
    return switch (dtype) {
      case BF16 -> 0x1p-8;
      case F16 -> 0x1p-11;
      case F32 -> 0x1p-24;
      case F64, I64, I8 -> 0;
    };
  }

  /** Normally distributed, a leaf of the graph. */
  static Tensor leaf(Device device, Dtype dtype, long... shape) {
    return random(device, dtype, shape).set_requires_grad(true);
  }

  static Tensor random(Device device, Dtype dtype, long... shape) {
    return torch.randn(shape).to(device.options(dtype), false, true, null);
  }

  /** The same values in float64, a leaf of its own. */
  static Tensor wide(Tensor t) {
    return t.detach().to(Dtype.F64.scalarType()).set_requires_grad(true);
  }

  /** The gradient of {@code input} from those of {@code outputs}. */
  static Tensor gradient(Tensor input, List<Tensor> outputs, List<Tensor> upstream) {
    return torch.grad(vector(outputs), new TensorVector(input), vector(upstream), new BoolOptional(), false, false).get(0);
  }

  private static TensorVector vector(List<Tensor> tensors) {
    var vector = new TensorVector();
    tensors.forEach(vector::push_back);
    return vector;
  }
}
