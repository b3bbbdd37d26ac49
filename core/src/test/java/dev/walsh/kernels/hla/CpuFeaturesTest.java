package dev.walsh.kernels.hla;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;

/** Features of single tokens in the Vector API are those of libtorch's operators. */
final class CpuFeaturesTest {
  private static final int HEADS = 3;

  private static PointwiseFeatures layer(FeatureMap map, int width, Dtype dtype) {
    var spec = HlaSpec.of(HEADS, width, true, List.of(map, map));
    return new PointwiseFeatures(spec, map, 2, FeatureInit.untied(spec, 0), new Weights(Device.CPU, dtype, 5).at("map"));
  }

  private static Tensor scaled(PointwiseFeatures layer, Tensor x, boolean keys) {
    var plain = layer.apply(1, x, 0);
    if (layer.isLogarithmic()) return plain.sub(plain.amax(new long[] {2}, true)).clamp_min(new Scalar(-40)).exp();
    return keys ? plain : plain.div(plain.mean(2).unsqueeze(2));
  }

  @ParameterizedTest
  @CsvSource({"16,64,F32", "5,10,F32", "33,48,F32", "16,64,BF16"})
  void agreeWithOperators(int rank, int width, Dtype dtype) {
    try (var scope = Scope.withoutGradients()) {
      for (FeatureMap map : List.of(new FeatureMap.Softplus(rank), new FeatureMap.Relu(rank, 0.01), new FeatureMap.Exp(rank))) {
        var layer = layer(map, width, dtype);
        // As a step gets them: rows of packed queries, keys and values.
        var packed = torch.randn(new long[] {4, 3, HEADS, width}, Device.CPU.options(dtype)).mul(new Scalar(3));
        var x = packed.select(1, 1).unsqueeze(2);
        for (boolean keys : new boolean[] {false, true}) {
          if (keys && map instanceof FeatureMap.Exp) continue;
          var found = Objects.requireNonNull(layer.fused(1, x, keys));
          var expected = scaled(layer, x, keys);
          assertThat(found.shape()).isEqualTo(expected.shape());
          // In bf16 libtorch rounds the projections, of which exp makes some hundredths.
          double error = found.sub(expected).abs().max().item_double() / expected.abs().max().item_double();
          assertThat(error).as(map + (keys ? " of keys" : " of queries")).isLessThan(dtype == Dtype.F32 ? 1e-5 : 0.05);
        }
      }
    }
  }

  @Test
  void severalTokensGradientsAndExponentsOfKeysAreLeftToOperators() {
    try (var scope = Scope.open()) {
      var softplus = layer(new FeatureMap.Softplus(8), 16, Dtype.F32);
      assertThat(softplus.fused(0, torch.randn(1, HEADS, 2, 16), true)).isNull();
      assertThat(softplus.fused(0, torch.randn(1, HEADS, 1, 16), true)).as("its matrix is learned").isNull();
      try (var without = Scope.withoutGradients()) {
        assertThat(layer(new FeatureMap.Exp(8), 16, Dtype.F32).fused(0, torch.randn(1, HEADS, 1, 16), true)).isNull();
      }
    }
  }
}
