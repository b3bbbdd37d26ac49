package dev.walsh.kernels.nn;

import dev.walsh.tensor.CudaGraph;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
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

  private static void assertClose(Tensor actual, Tensor exact, Dtype dtype) {
    double tolerance = dtype == Dtype.BF16 ? 8e-3 : dtype == Dtype.F16 ? 1e-3 : 1e-5;
    assertThat(actual.shape()).isEqualTo(exact.shape());
    assertThat(wide(actual).sub(exact).abs().max().item_double()).isLessThan(tolerance * exact.abs().max().item_double());
  }

  @ParameterizedTest
  @CsvSource({"BF16,1,768,2304,false", "BF16,1,2048,768,false", "BF16,2,768,50304,false", "BF16,3,8,5,false", "BF16,8,40,7,false",
      "BF16,5,5504,33,false", "F32,1,768,100,false", "F32,4,1028,20,false", "F16,2,96,9,false", "BF16,1,768,2304,true",
      "BF16,7,2048,768,true", "BF16,32,96,20,true", "F32,17,48,20,true"})
  void itIsTheProduct(Dtype dtype, long rows, long in, long out, boolean bytes) {
    try (var scope = Scope.withoutGradients()) {
      var x = Exactly.random(Device.CUDA, dtype, 1, rows, in);
      var floats = Exactly.random(Device.CUDA, bytes ? Dtype.F32 : dtype, out, in);
      var matrix = bytes ? Int8Matrix.pack(floats) : floats;
      var exact = bytes ? Int8Matrix.unpack(matrix, in, Dtype.F64) : wide(floats);
      assertClose(Objects.requireNonNull(CudaFewRows.multiply(x, matrix)), torch.linear(wide(x), exact), dtype);
    }
  }

  @ParameterizedTest
  @CsvSource({"BF16,1,768,2048,false", "BF16,8,256,704,false", "BF16,3,1536,17,false", "F32,2,64,33,false", "BF16,1,768,2048,true",
      "BF16,20,64,33,true"})
  void soItIsWithTheGate(Dtype dtype, long rows, long in, long hidden, boolean bytes) {
    try (var scope = Scope.withoutGradients()) {
      var x = Exactly.random(Device.CUDA, dtype, rows, in);
      var floats = Exactly.random(Device.CUDA, bytes ? Dtype.F32 : dtype, 2 * hidden, in);
      var matrix = bytes ? Int8Matrix.pack(floats) : floats;
      var exact = bytes ? Int8Matrix.unpack(matrix, in, Dtype.F64) : wide(floats);
      assertClose(Objects.requireNonNull(CudaFewRows.gated(x, matrix)), SwiGlu.plain(torch.linear(wide(x), exact)), dtype);
    }
  }

  @Test
  void manyRowsOddWidthsAndGradientsAreLeftToLibtorch() {
    try (var scope = Scope.open()) {
      var matrix = Exactly.random(Device.CUDA, Dtype.BF16, 24, 16);
      assertThat(CudaFewRows.multiply(Exactly.random(Device.CUDA, Dtype.BF16, 9, 16), matrix)).isNull();
      assertThat(CudaFewRows.multiply(Exactly.leaf(Device.CUDA, Dtype.BF16, 1, 16), matrix)).isNull();
      assertThat(CudaFewRows.multiply(Exactly.random(Device.CUDA, Dtype.BF16, 1, 12), Exactly.random(Device.CUDA, Dtype.BF16, 24, 12)))
          .isNull();
    }
  }

  /** Each kernel begins while the one before is at work, in a graph as out of it, and reads only what that one has written. */
  @Test
  void aChainOfEarlyLaunchesIsInOrder() {
    try (var scope = Scope.withoutGradients()) {
      int width = 1024;
      var matrix = Exactly.random(Device.CUDA, Dtype.F32, width, width).mul(new Scalar(0.05));
      var x = Exactly.random(Device.CUDA, Dtype.F32, 1, width);
      var exact = wide(x);
      for (int i = 0; i < 40; i++) exact = torch.linear(exact, wide(matrix)).div(new Scalar(1.5));
      var scaled = matrix.div(new Scalar(1.5));
      var result = torch.empty_like(x);
      Runnable work = () -> {
        try (var inner = Scope.withoutGradients()) {
          var y = x;
          for (int i = 0; i < 40; i++) y = Objects.requireNonNull(CudaFewRows.multiply(y, scaled));
          result.copy_(y);
        }
      };
      for (int i = 0; i < 20; i++) {
        work.run();
        assertClose(result, exact, Dtype.F16);
      }
      CudaGraph.warmUp(work);
      try (var graph = CudaGraph.capture(work)) {
        for (int i = 0; i < 20; i++) {
          result.zero_();
          graph.replay();
          assertClose(result, exact, Dtype.F16);
        }
      }
    }
  }
}
