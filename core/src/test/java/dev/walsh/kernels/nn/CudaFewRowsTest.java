package dev.walsh.kernels.nn;

import dev.walsh.tensor.CudaGraph;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** Against float64 products of the same numbers. */
final class CudaFewRowsTest {
  @BeforeEach
  void aGpu() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
  }

  private static Tensor wide(Tensor t) {
    return t.to(Dtype.F64.scalarType());
  }

  private static Tensor product(Tensor x, Tensor matrix, Dtype result) {
    return Objects.requireNonNull(CudaFewRows.multiply(x, matrix, result));
  }

  private static void assertClose(Tensor actual, Tensor exact, Dtype dtype) {
    double tolerance = dtype == Dtype.BF16 ? 8e-3 : 1e-5;
    assertThat(actual.shape()).isEqualTo(exact.shape());
    assertThat(wide(actual).sub(exact).abs().max().item_double()).isLessThan(tolerance * exact.abs().max().item_double());
  }

  @ParameterizedTest
  @CsvSource({"1,768,2304,false", "1,2048,768,false", "2,768,50304,false", "3,8,5,false", "8,40,7,false",
      "5,5504,33,false", "9,768,768,false", "16,1536,100,false", "13,24,20000,false", "32,768,768,false", "1,768,2304,true",
      "7,2048,768,true", "20,48,20,true",
      "32,96,20,true", "33,96,20,true", "128,768,100,true", "17,768,1024,false", "16,2560,7680,false",
      "33,768,2304,false", "64,2048,768,false", "50,768,768,false", "64,704,3072,false", "64,768,2304,true", "60,2048,768,true"})
  void itIsTheProduct(long rows, long in, long out, boolean bytes) {
    try (var scope = Scope.withoutGradients()) {
      var x = Exactly.random(Device.CUDA, Dtype.BF16, 1, rows, in);
      var floats = Exactly.random(Device.CUDA, bytes ? Dtype.F32 : Dtype.BF16, out, in);
      var matrix = bytes ? Int8Matrix.pack(floats) : floats;
      var exact = bytes ? Int8Matrix.unpack(matrix, in, Dtype.F64) : wide(floats);
      assertClose(product(x, matrix, Dtype.BF16), torch.linear(wide(x), exact), Dtype.BF16);
      assertClose(product(x, matrix, Dtype.F32), torch.linear(wide(x), exact), Dtype.F32);
    }
  }

  @ParameterizedTest
  @CsvSource({"1,768,2048,false", "8,256,704,false", "3,1536,17,false", "16,64,33,false", "29,64,33,false", "1,768,2048,true",
      "20,64,33,true", "70,64,33,true", "64,768,2048,false", "45,768,2752,false", "64,768,2048,true", "64,1024,2752,true"})
  void soItIsWithTheGate(long rows, long in, long hidden, boolean bytes) {
    try (var scope = Scope.withoutGradients()) {
      var x = Exactly.random(Device.CUDA, Dtype.BF16, rows, in);
      var floats = Exactly.random(Device.CUDA, bytes ? Dtype.F32 : Dtype.BF16, 2 * hidden, in);
      var matrix = bytes ? Int8Matrix.pack(floats) : floats;
      var exact = bytes ? Int8Matrix.unpack(matrix, in, Dtype.F64) : wide(floats);
      assertClose(Objects.requireNonNull(CudaFewRows.gated(x, matrix)), SwiGlu.plain(torch.linear(wide(x), exact)), Dtype.BF16);
    }
  }

  @Test
  void manyRowsOddWidthsGradientsAndOtherDtypesAreLeftToLibtorch() {
    try (var scope = Scope.open()) {
      var matrix = Exactly.random(Device.CUDA, Dtype.BF16, 24, 16);
      assertThat(CudaFewRows.multiply(Exactly.random(Device.CUDA, Dtype.BF16, 65, 16), matrix, Dtype.BF16)).isNull();
      var wide = Exactly.random(Device.CUDA, Dtype.BF16, 1024, 1024);
      assertThat(CudaFewRows.multiply(Exactly.random(Device.CUDA, Dtype.BF16, 33, 1024), wide, Dtype.BF16)).isNull();
      var large = Exactly.random(Device.CUDA, Dtype.BF16, 8192, 2048);
      assertThat(CudaFewRows.multiply(Exactly.random(Device.CUDA, Dtype.BF16, 17, 2048), large, Dtype.BF16)).isNull();
      assertThat(CudaFewRows.multiply(Exactly.leaf(Device.CUDA, Dtype.BF16, 1, 16), matrix, Dtype.BF16)).isNull();
      assertThat(CudaFewRows.multiply(Exactly.random(Device.CUDA, Dtype.BF16, 1, 12), Exactly.random(Device.CUDA, Dtype.BF16, 24, 12),
          Dtype.BF16)).isNull();
      assertThat(CudaFewRows.gated(Exactly.random(Device.CUDA, Dtype.F32, 1, 16), Exactly.random(Device.CUDA, Dtype.F32, 24, 16))).isNull();
    }
  }

  /** Each kernel begins while the one before is at work, in a graph as out of it, and reads only what that one has written. */
  @Test
  void aChainOfEarlyLaunchesIsInOrder() {
    try (var scope = Scope.withoutGradients()) {
      int width = 1024;
      // A rotation of the channels, so that all links of the chain but rounding are exact.
      var rotation = torch.eye(width, Device.CUDA.options(Dtype.BF16)).roll(new long[] {1}, new long[] {0});
      var x = Exactly.random(Device.CUDA, Dtype.BF16, 1, width);
      var exact = wide(x).roll(new long[] {40}, new long[] {1});
      var result = torch.empty_like(x);
      Runnable work = () -> {
        try (var inner = Scope.withoutGradients()) {
          var y = x;
          for (int i = 0; i < 40; i++) y = product(y, rotation, Dtype.BF16);
          result.copy_(y);
        }
      };
      for (int i = 0; i < 20; i++) {
        work.run();
        assertThat(wide(result).equal(exact)).isTrue();
      }
      CudaGraph.warmUp(work);
      try (var graph = CudaGraph.capture(work)) {
        for (int i = 0; i < 20; i++) {
          result.zero_();
          graph.replay();
          assertThat(wide(result).equal(exact)).isTrue();
        }
      }
    }
  }
}
