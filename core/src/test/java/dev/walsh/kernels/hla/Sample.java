package dev.walsh.kernels.hla;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import java.util.List;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

import static org.assertj.core.api.Assertions.assertThat;

/** An attention with learned weights and a batch of random tokens for it, all leaves of the graph. */
record Sample(Hla hla, Weights weights, Tensor q, Tensor k, Tensor v, Tensor upstream) {
  static final long BATCH = 2;

  static Sample of(HlaSpec spec, Dtype dtype, long n) {
    return of(Device.CPU, spec, dtype, n);
  }

  static Sample of(Device device, HlaSpec spec, Dtype dtype, long n) {
    torch.manual_seed(1);
    var weights = new Weights(device, dtype, 3);
    var hla = new Hla(spec, weights.at("attention"));
    // Similarities that can be negative stay near 1: a sum of weights that all but vanishes is no measure of rounding.
    double length = spec.factors().stream().anyMatch(FeatureMap::isSigned) ? 0.3 : 1;
    return new Sample(hla, weights, leaf(device, spec, dtype, n, length), leaf(device, spec, dtype, n, length),
        leaf(device, spec, dtype, n, 1), leaf(device, spec, dtype, n, 1).detach());
  }

  private static Tensor leaf(Device device, HlaSpec spec, Dtype dtype, long n, double length) {
    var x = torch.randn(BATCH, spec.heads(), n, spec.headWidth()).mul(new Scalar(length));
    return x.to(device.options(dtype), false, false, null).set_requires_grad(true);
  }

  /** Four keys in five take part; of the first sequence, none of the first three does. (B,N). */
  static Tensor mask(long n) {
    var mask = torch.rand(BATCH, n).gt(new Scalar(0.2));
    if (n > 3) mask.select(0, 0).narrow(0, 0, 3).fill_(new Scalar(0));
    return mask;
  }

  Tensor apply(Form form, @Nullable Tensor mask) {
    return hla.apply(form, q, k, v, mask);
  }

  /** The gradients of queries, keys, values and all weights. */
  List<Tensor> gradients(Tensor out) {
    var leaves = new TensorVector(q, k, v);
    weights.all().forEach(weight -> leaves.push_back(weight.value()));
    return List.of(torch.grad(new TensorVector(out), leaves, new TensorVector(upstream), new BoolOptional(), false, false).get());
  }

  static void assertClose(String what, Tensor actual, Tensor expected, double tolerance) {
    assertThat(actual.shape()).as(what).isEqualTo(expected.shape());
    var wide = expected.to(Dtype.F64.scalarType());
    var error = actual.to(expected.options().dtype(new ScalarTypeOptional(Dtype.F64.scalarType())), false, false, null).sub(wide).abs()
        .max().item_double();
    assertThat(error).as("%s: the greatest error, of values up to %s", what, wide.abs().max().item_double())
        .isLessThanOrEqualTo(tolerance * Math.max(0.1, wide.abs().max().item_double()));
  }

  static void assertClose(String what, List<Tensor> actual, List<Tensor> expected, double tolerance) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int i = 0; i < actual.size(); i++) assertClose(what + " " + i, actual.get(i), expected.get(i), tolerance);
  }
}
