package dev.walsh.kernels.nn;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;

/** Products of few rows against the same in float64. */
final class CpuFewRowsTest {
  @ParameterizedTest
  @CsvSource({"F32,1,768,300", "F32,4,63,10", "F32,2,1,3", "BF16,1,768,2304", "BF16,3,40,7", "BF16,4,1000,33"})
  void theyAreRoundedOnce(Dtype dtype, long rows, long in, long out) {
    try (var scope = Scope.withoutGradients()) {
      var x = Exactly.random(Device.CPU, dtype, 1, rows, in);
      var weight = Exactly.random(Device.CPU, dtype, out, in);
      assertThat(CpuFewRows.covers(x, weight)).isTrue();
      Exactly.assertRounded("the product", Linear.apply(x, weight), torch.linear(Exactly.wide(x), Exactly.wide(weight)));
    }
  }

  @Test
  void theRestIsLibtorchs() {
    try (var scope = Scope.open()) {
      var weight = Exactly.random(Device.CPU, Dtype.F32, 8, 16);
      assertThat(CpuFewRows.covers(Exactly.random(Device.CPU, Dtype.F32, 5, 16), weight)).isFalse();
      assertThat(CpuFewRows.covers(Exactly.random(Device.CPU, Dtype.F32, 0, 16), weight)).isFalse();
      assertThat(CpuFewRows.covers(Exactly.random(Device.CPU, Dtype.F64, 1, 16), weight)).isFalse();
      assertThat(CpuFewRows.covers(Exactly.leaf(Device.CPU, Dtype.F32, 1, 16), weight)).isFalse();
    }
  }
}
