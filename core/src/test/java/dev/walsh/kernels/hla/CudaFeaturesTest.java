package dev.walsh.kernels.hla;

import dev.walsh.kernels.hla.FeatureMap.Exp;
import dev.walsh.kernels.hla.FeatureMap.Perceptron;
import dev.walsh.kernels.hla.FeatureMap.Relu;
import dev.walsh.kernels.hla.FeatureMap.Softplus;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** Features made by the GPU's kernels are those of libtorch's operators, and so are the gradients of tokens, matrices and offsets. */
final class CudaFeaturesTest {
  private static final double TOLERANCE = 2e-2;
  private static final long BATCH = 2;
  private static final int HEADS = 3;

  @BeforeAll
  static void needsGpu() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
  }

  @ParameterizedTest
  @CsvSource({"64,128,1000,true", "64,128,1000,false", "16,64,63,true", "33,96,130,false", "256,128,8,true", "32,128,1,true"})
  void agreeWithOperators(int rank, int width, long n, boolean keys) {
    var maps = new ArrayList<FeatureMap>(List.of(new Softplus(rank), new Perceptron(rank), new Relu(rank, 1e-3)));
    if (!keys) maps.add(new Exp(rank));
    for (var map : maps) {
      try (var scope = Scope.open()) {
        torch.manual_seed(7);
        var weights = new Weights(Device.CUDA, Dtype.BF16, 5);
        var spec = HlaSpec.of(HEADS, width, true, List.of(map));
        var layer = new PointwiseFeatures(spec, map, 2, FeatureInit.untied(spec, 0), weights.at("map"));
        // As attention gets them: a part of packed queries, keys and values.
        var packed = torch.randn(new long[] {BATCH, n, 3, HEADS, width}, Device.CUDA.options(Dtype.BF16)).set_requires_grad(true);
        var x = packed.select(2, 1).transpose(1, 2);
        var plain = layer.apply(1, x, 0);
        if (map instanceof Exp) {
          plain = plain.sub(plain.detach().amax(new long[] {2}, true)).exp();
        } else if (!keys) {
          plain = plain.div(plain.detach().mean(2).unsqueeze(2));
        }
        var fused = Objects.requireNonNull(layer.fused(1, x, keys), "the GPU runs the kernels");
        var upstream = upstream(plain.detach(), keys);
        assertClose("features", fused.detach(), plain.detach());
        var expected = gradients(plain, packed, weights, upstream);
        var found = gradients(fused, packed, weights, upstream.to(Dtype.BF16.scalarType()));
        for (int i = 0; i < expected.size(); i++) assertClose(map + ", gradient " + i, found.get(i), expected.get(i));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"2,32,128,1000,true", "2,32,128,1000,false", "1,64,64,136,true", "3,16,64,8,false", "2,8,64,24,true", "2,8,128,264,false"})
  void thoseOfAllFactorsAtOnceAgreeToo(int factors, int rank, int width, long n, boolean keys) {
    try (var scope = Scope.open()) {
      torch.manual_seed(7);
      var spec = HlaSpec.of(HEADS, width, true, Collections.nCopies(factors, new Softplus(rank)));
      var weights = new Weights(Device.CUDA, Dtype.BF16, 5);
      var layers = IntStream.range(0, factors)
          .mapToObj(i -> new PointwiseFeatures(spec, new Softplus(rank), 2, FeatureInit.untied(spec, i), weights.at("map." + i))).toList();
      var packed = torch.randn(new long[] {BATCH, n, 3, HEADS, width}, Device.CUDA.options(Dtype.BF16)).set_requires_grad(true);
      var x = packed.select(2, 1).transpose(1, 2);
      var maps = layers.stream().map(layer -> Objects.requireNonNull(layer.projection(1))).toList();
      var together = Objects.requireNonNull(CudaProjection.of(maps, x, keys), "the GPU runs the kernels");
      var expected = new ArrayList<Tensor>();
      var found = new ArrayList<Tensor>();
      for (int i = 0; i < factors; i++) {
        var plain = layers.get(i).apply(1, x, 0);
        if (!keys) plain = plain.div(plain.detach().mean(2).unsqueeze(2));
        assertClose("factor " + i, together.get(i).detach(), plain.detach());
        var upstream = upstream(plain.detach(), keys);
        expected.add(plain.mul(upstream).sum());
        found.add(together.get(i).to(plain.scalar_type()).mul(upstream).sum());
      }
      var one = torch.ones(new long[0], Device.CUDA.options(Dtype.F32));
      var right = gradients(torch.stack(new TensorVector(expected.toArray(Tensor[]::new))).sum(), packed, weights, one);
      var ours = gradients(torch.stack(new TensorVector(found.toArray(Tensor[]::new))).sum(), packed, weights, one);
      for (int i = 0; i < right.size(); i++) assertClose("gradient " + i, ours.get(i), right.get(i));
    }
  }

  @Test
  void withoutAGradientMoreFeaturesAndAnyNumberOfTokensAreCovered() {
    try (var scope = Scope.withoutGradients()) {
      var spec = HlaSpec.of(HEADS, 96, true, Collections.nCopies(2, new Softplus(64)));
      var layer = new PointwiseFeatures(spec, new Softplus(64), 2, FeatureInit.untied(spec, 0),
          new Weights(Device.CUDA, Dtype.BF16, 5).at("map"));
      var map = Objects.requireNonNull(layer.projection(1));
      for (long n : new long[] {126, 131, 1}) {
        var x = torch.randn(new long[] {BATCH, HEADS, n, 96}, Device.CUDA.options(Dtype.BF16));
        var found = Objects.requireNonNull(CudaProjection.of(List.of(map, map), x, true), "the GPU runs the kernel");
        for (var features : found) assertClose("features", features, layer.apply(1, x, 0));
      }
    }
  }

  /** Features far below the greatest are all as great, and have no gradient. */
  @Test
  void exponentsHaveAFloor() {
    try (var scope = Scope.open()) {
      var weights = new Weights(Device.CUDA, Dtype.BF16, 5);
      var map = new Exp(16);
      var layer = new PointwiseFeatures(HlaSpec.of(HEADS, 32, true, List.of(map, map)), map, 2,
          FeatureInit.untied(HlaSpec.of(HEADS, 32, true,
              List.of(map, map)), 0),
          weights.at("map"));
      var x = torch.randn(new long[] {BATCH, HEADS, 40, 32}, Device.CUDA.options(Dtype.BF16)).mul(new Scalar(60));
      var logarithms = layer.apply(0, x, 0);
      var expected = logarithms.sub(logarithms.amax(new long[] {2}, true)).clamp_min(new Scalar(-40)).exp();
      assertThat(expected.min().item_double()).as("some are at the floor").isLessThan(1e-17);
      var found = Objects.requireNonNull(layer.fused(0, x, false), "the GPU runs the kernels");
      assertClose("features", found.detach(), expected.detach());
    }
  }

  /** A gradient of features (B,H,r,N). The scale of a query changes no output, so that none of queries has a part along a query's features. */
  private static Tensor upstream(Tensor features, boolean keys) {
    var any = torch.randn_like(features);
    if (keys) return any;
    return any.sub(any.mul(features).sum(2).div(features.mul(features).sum(2)).unsqueeze(2).mul(features));
  }

  private static List<Tensor> gradients(Tensor out, Tensor x, Weights weights, Tensor upstream) {
    var leaves = new TensorVector(x);
    weights.all().forEach(weight -> leaves.push_back(weight.value()));
    return new ArrayList<>(List.of(torch.grad(new TensorVector(out), leaves, new TensorVector(upstream), new BoolOptional(), false, false)
        .get()));
  }

  private static void assertClose(String what, Tensor found, Tensor expected) {
    var wide = expected.to(Dtype.F64.scalarType());
    double error = found.to(Dtype.F64.scalarType()).sub(wide).norm().item_double();
    assertThat(error).as(what).isLessThan(TOLERANCE * Math.max(1e-3, wide.norm().item_double()));
  }
}
