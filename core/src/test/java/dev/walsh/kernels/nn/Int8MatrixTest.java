package dev.walsh.kernels.nn;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

final class Int8MatrixTest {
  @ParameterizedTest
  @ValueSource(longs = {1, 16, 63, 96})
  void noWeightIsFurtherFromItselfThanHalfAStep(long in) {
    try (var scope = Scope.withoutGradients()) {
      var weight = Exactly.random(Device.CPU, Dtype.F32, 40, in);
      weight.select(0, 3).zero_();
      var packed = Int8Matrix.pack(weight);
      assertThat(Int8Matrix.is(packed)).isTrue();
      assertThat(Int8Matrix.is(weight)).isFalse();
      var error = Int8Matrix.unpack(packed, in, Dtype.F32).sub(weight).abs();
      var step = weight.abs().amax(new long[] {1}, true).div(new Scalar(127.0));
      assertThat(error.sub(step.mul(new Scalar(0.5001))).max().item_double()).isLessThanOrEqualTo(1e-9);
      // The greatest of each row is kept.
      assertThat(torch.allclose(Int8Matrix.unpack(packed, in, Dtype.F32).abs().amax(new long[] {1}, false),
          weight.abs().amax(new long[] {1}, false), 1e-6, 0, false)).isTrue();
    }
  }

  @ParameterizedTest
  @CsvSource({"F32,1,768,100", "F32,3,63,10", "BF16,1,768,2304", "BF16,8,40,7", "BF16,64,96,20", "BF16,65,96,20", "F64,2,96,20"})
  void productsAreThoseOfTheWidenedMatrix(Dtype dtype, long rows, long in, long out) {
    compare(Device.CPU, dtype, rows, in, out);
  }

  @ParameterizedTest
  @CsvSource({"F32,1,768,100", "F16,3,64,10", "BF16,1,768,2304", "BF16,2,2048,768", "BF16,4,768,50304", "BF16,8,768,7", "BF16,17,96,20",
      "BF16,32,768,768", "BF16,33,96,20", "BF16,1,40,20"})
  void soTheyAreOnTheGpu(Dtype dtype, long rows, long in, long out) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    compare(Device.CUDA, dtype, rows, in, out);
  }

  private static void compare(Device device, Dtype dtype, long rows, long in, long out) {
    try (var scope = Scope.withoutGradients()) {
      var packed = Int8Matrix.pack(Exactly.random(device, Dtype.F32, out, in));
      var x = Exactly.random(device, dtype, 1, rows, in);
      var exact = torch.linear(x.to(Dtype.F64.scalarType()), Int8Matrix.unpack(packed, in, Dtype.F64));
      var y = Linear.apply(x, packed);
      assertThat(Dtype.of(y)).isEqualTo(dtype);
      // Where the matrix is widened to bf16, its elements are rounded as well.
      double tolerance = dtype == Dtype.BF16 ? 1e-2 : dtype == Dtype.F16 ? 2e-3 : 1e-5;
      assertThat(y.to(Dtype.F64.scalarType()).sub(exact).abs().max().item_double()).isLessThan(
          tolerance * exact.abs().max().item_double());
    }
  }

  @Test
  void rowsAreGathered() {
    try (var scope = Scope.withoutGradients()) {
      var packed = Int8Matrix.pack(Exactly.random(Device.CPU, Dtype.F32, 40, 24));
      var rows = Int8Matrix.rows(packed, Memory.tensor(new long[] {3, 39, 3, 0}, 2, 2), 24, Dtype.F32);
      assertThat(rows.shape()).containsExactly(2, 2, 24);
      assertThat(torch.equal(rows.select(0, 0).select(0, 1), Int8Matrix.unpack(packed, 24, Dtype.F32).select(0, 39))).isTrue();
    }
  }
}
