package dev.walsh.kernels.hla;

import dev.walsh.config.UserError;
import dev.walsh.kernels.hla.FeatureMap.Affine;
import dev.walsh.kernels.hla.FeatureMap.Exp;
import dev.walsh.kernels.hla.FeatureMap.Perceptron;
import dev.walsh.kernels.hla.FeatureMap.Relu;
import dev.walsh.kernels.hla.FeatureMap.Softplus;
import dev.walsh.kernels.hla.FeatureMap.Taylor;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

final class FeatureMapsTest {
  private static final int WIDTH = 64;
  private static final long LENGTH = 64;

  @BeforeEach
  void seed() {
    torch.manual_seed(1);
  }

  private static Tensor random(double deviation, Dtype dtype) {
    return torch.randn(1, 2, LENGTH, WIDTH).mul(new Scalar(deviation)).to(dtype.scalarType());
  }

  private static Hla hla(HlaSpec spec, Dtype dtype) {
    return new Hla(spec, new Weights(Device.CPU, dtype, 0).at("attention"));
  }

  /** The normalised weights themselves: values that are the rows of the identity. */
  private static Tensor weights(HlaSpec spec, Tensor q, Tensor k) {
    return hla(spec, Dtype.F64).quadratic(q, k, torch.eye(LENGTH, q.options()).expand(1, 2, LENGTH, WIDTH), null);
  }

  private static double distance(Tensor a, Tensor b) {
    return a.sub(b).abs().sum(-1).mean().item_double() / 2;
  }

  static Stream<Arguments> initialMaps() {
    return Stream.of(arguments(maps(new Exp(64), new Exp(64)), false), arguments(maps(new Exp(44), new Exp(44), new Exp(40)), false),
        arguments(maps(new Exp(128)), false), arguments(maps(new Exp(128), new Exp(128)), true),
        arguments(maps(new Softplus(64), new Softplus(64)), false), arguments(maps(new Softplus(128), new Softplus(128)), true),
        arguments(maps(new Perceptron(64), new Perceptron(64)), false), arguments(maps(new Relu(64, 1e-3), new Relu(64, 1e-3)), false),
        arguments(maps(new Taylor(64)), false), arguments(maps(new Affine(64), new Affine(64)), true));
  }

  private static List<FeatureMap> maps(FeatureMap... maps) {
    return List.of(maps);
  }

  /** A tenth at most of what tells softmax from uniform weights is missing, where inputs are small and features twice the channels. */
  @ParameterizedTest
  @MethodSource("initialMaps")
  void factorsBeginAsExpOnTheirShareOfTheChannels(List<FeatureMap> maps, boolean tied) {
    try (var scope = Scope.withoutGradients()) {
      var q = random(0.1, Dtype.F64);
      var k = random(0.1, Dtype.F64);
      var spec = new HlaSpec(2, WIDTH, maps, tied, tied, false, Normalizer.SUM, Rotation.NONE,
          Modulation.FEATURES);
      var softmax = q.matmul(k.transpose(2, 3)).mul(new Scalar(1 / Math.sqrt(WIDTH))).softmax(-1);
      double ofUniform = distance(torch.full_like(softmax, new Scalar(1.0 / LENGTH)), softmax);
      assertThat(distance(weights(spec, q, k), softmax)).isLessThan(0.1 * ofUniform);
    }
  }

  @Test
  void untiedCopiesOfAMapAreNotTheSame() {
    var weights = new Weights(Device.CPU, Dtype.F32, 0);
    new FeatureMaps(HlaSpec.of(2, 8, true, List.of(new Softplus(4), new Softplus(4))).tied(true, false), weights.at("maps"));
    try (var scope = Scope.withoutGradients()) {
      var matrices = weights.all().getFirst().value();
      assertThat(matrices.shape()).containsExactly(3, 2, 4, 8);
      double apart = distance(matrices.select(0, 1), matrices.select(0, 2));
      assertThat(apart).isPositive().isLessThan(distance(matrices.select(0, 1), torch.zeros_like(matrices.select(0, 1))));
    }
  }

  @Test
  void similaritiesAreThoseOfTheControls() {
    try (var scope = Scope.withoutGradients()) {
      var q = random(1, Dtype.F64);
      var k = random(1, Dtype.F64);
      var elu = torch.elu(q).add(new Scalar(1)).matmul(torch.elu(k).add(new Scalar(1)).transpose(2, 3));
      Sample.assertClose("Katharopoulos", weights(HlaSpec.katharopoulos(2, WIDTH, false), q, k), normalised(elu), 1e-12);
      var positions = torch.arange(new Scalar(LENGTH)).to(Dtype.F64.scalarType());
      var distances = positions.unsqueeze(1).sub(positions.unsqueeze(0));
      var cosine = torch.relu(q).matmul(torch.relu(k).transpose(2, 3)).mul(distances.mul(new Scalar(Math.PI / 2 / 100)).cos());
      // But for the floor of 1e-6.
      Sample.assertClose("cosFormer", weights(HlaSpec.cosFormer(2, WIDTH, false, 100), q, k), normalised(cosine), 1e-5);
    }
  }

  private static Tensor normalised(Tensor weights) {
    return weights.div(weights.sum(-1).unsqueeze(-1));
  }

  @Test
  void taylorFeaturesOfAllChannelsAreTheSeriesOfExp() {
    try (var scope = Scope.withoutGradients()) {
      var q = random(1, Dtype.F64);
      var k = random(1, Dtype.F64);
      var s = q.matmul(k.transpose(2, 3)).mul(new Scalar(1 / Math.sqrt(WIDTH)));
      var series = s.mul(s).mul(new Scalar(0.5)).add(s).add(new Scalar(1));
      Sample.assertClose("Taylor", weights(HlaSpec.of(2, WIDTH, false, List.of(new Taylor(WIDTH))), q, k), normalised(series), 1e-12);
      var root = s.mul(new Scalar(0.5)).add(new Scalar(1));
      var spec = new HlaSpec(2, WIDTH, Collections.nCopies(2, new Affine(WIDTH)), true, true, false, Normalizer.SUM, Rotation.NONE,
          Modulation.FEATURES);
      Sample.assertClose("(1 + s/2)²", weights(spec, q, k), normalised(root.mul(root)), 1e-9);
    }
  }

  @Test
  void aPositionBeyondCosFormersContextIsRefused() {
    try (var scope = Scope.withoutGradients()) {
      var hla = hla(HlaSpec.cosFormer(2, WIDTH, true, 63), Dtype.F32);
      var x = random(1, Dtype.F32);
      assertThatThrownBy(() -> hla.apply(x, x, x, null)).isInstanceOf(UserError.class)
          .hasMessage("position 63 lies beyond cosFormer's context of 63 tokens; give the map a longer context");
    }
  }

  /** Numerators depend on distances alone where features are rotated, whatever their position: a shift by whole tokens changes nothing. */
  @Test
  void rotatedFeaturesWeighByDistance() {
    try (var scope = Scope.withoutGradients()) {
      var spec = HlaSpec.of(2, WIDTH, true, List.of(new Softplus(16), new Softplus(8))).with(Rotation.AFTER);
      var hla = hla(spec, Dtype.F64);
      var q = random(1, Dtype.F64);
      var k = random(1, Dtype.F64);
      var v = random(1, Dtype.F64);
      var early = hla.chunked(q, k, v, null, 16);
      try (var state = hla.start(1)) {
        // A thousand tokens that are masked leave nothing but their number.
        var before = torch.zeros(1, 2, 1000, WIDTH).to(Dtype.F64.scalarType());
        hla.proceed(before, before, before, torch.zeros(1, 1000).gt(new Scalar(0)), state);
        Sample.assertClose("late", hla.proceed(q, k, v, null, state), early, 1e-11);
      }
    }
  }
}
