package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

final class GptTest {
  /** The counts of the paper's sizes, dense and Hadamard. */
  @ParameterizedTest
  @CsvSource({"124M,123587328,116527872", "354M,355124224,330007552", "757M,756819456,700270080", "1.7B,1722157056,1588070400",
      "2.6B,2650769920,2441218560", "3.9B,3911764480,3597437440", "5.6B,5590649856,5137959936"})
  void parametersAreCounted(String preset, long dense, long hadamard) {
    assertThat(parameters(preset, "dense")).isEqualTo(dense);
    assertThat(parameters(preset, "hadamard")).isEqualTo(hadamard);
    assertThat(parameters(preset, "hadamard-folded")).isEqualTo(hadamard);
  }

  private static long parameters(String preset, String projection) {
    var config = ModelConfig.parse(preset).with(Projection.named(projection));
    var weights = new Weights(Device.META, Dtype.F32, 0);
    var model = new Gpt(config, weights);
    long elements = weights.elements();
    assertThat(model.cost(config.context()).parameters()).as("the parts' own counts").isEqualTo(elements);
    weights.close();
    return elements;
  }

  /** Twelve channels of four heads: H_4 ⊗ H_3 does not exist, so this is the non-symmetric matrix of order 12. */
  private static final ModelConfig SMALL = new ModelConfig(2, 12, 2, 20, 6, 61, Projection.named("dense"));

  @ParameterizedTest
  @ValueSource(strings = {"dense", "hadamard", "hadamard-folded", "identity"})
  void gradientsAgreeWithFiniteDifferences(String projection) {
    try (var scope = Scope.open()) {
      var weights = new Weights(Device.CPU, Dtype.F64, 3);
      var model = new Gpt(SMALL.with(Projection.named(projection)), weights);
      var random = new Random(1);
      var ids = ids(random);
      var targets = ids(random);
      // The initial weights make gradients of attention too small to tell from rounding.
      try (var inner = Scope.withoutGradients()) {
        for (var w : weights.all()) w.value().add_(Memory.tensor(random.doubles(w.elements(), -0.5, 0.5).toArray(), w.value().shape()));
      }
      model.loss(ids, targets).backward();
      for (var w : weights.all()) {
        for (int probe = 0; probe < 4; probe++) {
          long i = random.nextLong(w.elements());
          double numeric = (lossAt(model, w.value(), i, 1e-5, ids, targets) - lossAt(model, w.value(), i, -1e-5, ids, targets)) / 2e-5;
          double analytic = at(w.value().grad(), i);
          assertThat(analytic).as("d loss / d %s[%d]", w.name(), i).isCloseTo(numeric,
              offset(1e-8 + 1e-6 * Math.abs(numeric)));
        }
      }
    }
  }

  /** The kernels of the GPU against libtorch's operators on the CPU: the loss and the gradients of all weights. */
  @ParameterizedTest
  @ValueSource(strings = {"dense", "hadamard", "identity"})
  void theGpuComputesWhatTheCpuDoes(String projection) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var config = SMALL.with(Projection.named(projection));
      var random = new Random(1);
      var ids = ids(random);
      var targets = ids(random);
      var here = new Weights(Device.CPU, Dtype.F32, 3);
      var loss = new Gpt(config, here).loss(ids, targets);
      loss.backward();
      var there = new Weights(Device.CUDA, Dtype.F32, 3);
      var onGpu = Device.CUDA.options(Dtype.I64);
      var lossThere = new Gpt(config, there).loss(ids.to(onGpu, false, false, null), targets.to(onGpu, false, false, null));
      lossThere.backward();
      assertThat(lossThere.item_double()).isCloseTo(loss.item_double(), offset(1e-5));
      var others = there.all().iterator();
      for (var w : here.all()) {
        var expected = w.value().grad();
        var error = others.next().value().grad().to(Device.CPU.options(Dtype.F32), false, false, null).sub(expected).abs().max();
        assertThat(error.item_double()).as("d loss / d %s", w.name()).isLessThan(1e-5 * Math.max(1, expected.abs().max().item_double()));
      }
    }
  }

  private static Tensor ids(Random random) {
    return Memory.tensor(random.longs(2 * 6, 0, SMALL.vocabulary()).toArray(), 2, 6);
  }

  private static double lossAt(Gpt model, Tensor w, long i, double step, Tensor ids, Tensor targets) {
    try (var scope = Scope.withoutGradients()) {
      double before = at(w, i);
      Memory.of(w).setAtIndex(JAVA_DOUBLE, i, before + step);
      double loss = model.loss(ids, targets).item_double();
      Memory.of(w).setAtIndex(JAVA_DOUBLE, i, before);
      return loss;
    }
  }

  private static double at(Tensor t, long i) {
    return Memory.of(t).getAtIndex(JAVA_DOUBLE, i);
  }
}
