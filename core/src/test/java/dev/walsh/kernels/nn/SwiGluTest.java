package dev.walsh.kernels.nn;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

final class SwiGluTest {
  @Test
  void theGateComesFirst() {
    try (var scope = Scope.open()) {
      var out = Memory.of(SwiGlu.apply(Memory.tensor(new double[] {1, -2, 3, 5}, 1, 4)));
      assertThat(out.getAtIndex(JAVA_DOUBLE, 0)).isCloseTo(1 / (1 + Math.exp(-1)) * 3, offset(1e-15));
      assertThat(out.getAtIndex(JAVA_DOUBLE, 1)).isCloseTo(-2 / (1 + Math.exp(2)) * 5, offset(1e-15));
    }
  }

  @ParameterizedTest
  @CsvSource({"BF16,1,1,2048", "BF16,3,5,344", "BF16,2,3,17", "F16,1,7,40", "F32,2,65,256", "F32,1,3,23"})
  void theKernelComputesWhatLibtorchDoes(Dtype dtype, long b, long t, long hidden) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var gateUp = Exactly.leaf(Device.CUDA, dtype, b, t, 2 * hidden);
      var wide = Exactly.wide(gateUp);
      var upstream = Exactly.random(Device.CUDA, dtype, b, t, hidden);
      var out = SwiGlu.apply(gateUp);
      var exact = SwiGlu.plain(wide);
      Exactly.assertRounded("h", out, exact);
      Exactly.assertRounded("the gradient", gradient(gateUp, out, upstream),
          gradient(wide, exact, upstream.to(Dtype.F64.scalarType())));
    }
  }

  @Test
  void gatesFarFromZeroSaturate() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var gateUp = Memory.tensor(new double[] {200, -200, 3, 5}, 1, 4).to(Device.CUDA.options(Dtype.F32), false, false, null)
          .set_requires_grad(true);
      var wide = Exactly.wide(gateUp);
      var out = SwiGlu.apply(gateUp);
      Exactly.assertRounded("h", out, SwiGlu.plain(wide));
      Exactly.assertRounded("the gradient", gradient(gateUp, out, out.detach()),
          gradient(wide, SwiGlu.plain(wide), out.detach().to(Dtype.F64.scalarType())));
    }
  }

  private static Tensor gradient(Tensor input, Tensor output, Tensor upstream) {
    return Exactly.gradient(input, List.of(output), List.of(upstream));
  }
}
