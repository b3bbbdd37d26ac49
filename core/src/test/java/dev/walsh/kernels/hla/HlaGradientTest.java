package dev.walsh.kernels.hla;

import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.data.Offset;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import static org.assertj.core.api.Assertions.assertThat;

/** The gradients of queries, keys, values and the feature maps' weights are the slopes of the definition's loops. */
final class HlaGradientTest {
  private static final double STEP = 1e-6;

  @ParameterizedTest
  @EnumSource
  void derivativesAreThoseOfFiniteDifferences(HlaCase kind) {
    for (boolean causal : new boolean[] {false, true}) {
      try (var scope = Scope.open()) {
        var sample = Sample.of(kind.spec(causal), Dtype.F64, 11);
        var mask = Sample.mask(11);
        var out = causal ? sample.hla().chunked(sample.q(), sample.k(), sample.v(), mask, 4) : sample.apply(Form.LINEAR, mask);
        var gradients = sample.gradients(out);
        var leaves = new ArrayList<>(List.of(sample.q(), sample.k(), sample.v()));
        sample.weights().all().forEach(weight -> leaves.add(weight.value()));
        for (int i = 0; i < leaves.size(); i++) {
          var direction = torch.randn_like(leaves.get(i));
          double slope = (along(sample, mask, leaves.get(i), direction, STEP) - along(sample, mask, leaves.get(i), direction, -STEP))
              / (2 * STEP);
          double derivative = gradients.get(i).mul(direction).sum().item_double();
          assertThat(derivative).as("causal: %s, leaf %s", causal, i).isCloseTo(slope, Offset.offset(1e-5 * Math.max(1, Math.abs(slope))));
        }
      }
    }
  }

  /** The definition's output, weighed by the upstream gradient, with one leaf moved. */
  private static double along(Sample sample, Tensor mask, Tensor leaf, Tensor direction, double step) {
    try (var scope = Scope.withoutGradients()) {
      leaf.add_(direction, new Scalar(step));
      double value = sample.apply(Form.REFERENCE, mask).mul(sample.upstream()).sum().item_double();
      leaf.sub_(direction, new Scalar(step));
      return value;
    }
  }
}
