package dev.walsh.kernels.nn;

import dev.walsh.tensor.CudaGraph;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.MatrixProduct;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** Matrix products by algorithms of our choice against the same in float64, and as a node of the graph. */
final class LinearTest {
  /** A bf16 number is off by up to 2^-9 of itself where it was rounded once, and a sum by twice that where its product was rounded before. */
  private static final double TOLERANCE = 1.0 / 128;

  @BeforeEach
  void onTheGpuAlone() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
  }

  @ParameterizedTest
  @CsvSource({"1,8,8", "3,16,24", "137,64,40", "1000,768,256", "64,50,10"})
  void productsOfEveryOrientationAreRight(int rows, int columns, int inner) {
    try (var scope = Scope.withoutGradients()) {
      var added = random(rows, columns);
      for (boolean leftTransposed : new boolean[] {false, true}) {
        for (boolean rightTransposed : new boolean[] {false, true}) {
          var left = leftTransposed ? random(inner, rows) : random(rows, inner);
          var right = rightTransposed ? random(columns, inner) : random(inner, columns);
          var exact = exact(left, leftTransposed).matmul(exact(right, rightTransposed));
          var out = torch.empty_like(added);
          MatrixProduct.into(out, left, leftTransposed, right, rightTransposed, null);
          assertClose(out, exact);
          MatrixProduct.into(out, left, leftTransposed, right, rightTransposed, added);
          assertSum(out, exact, exact(added, false));
          var sum = added.clone();
          MatrixProduct.into(sum, left, leftTransposed, right, rightTransposed, sum);
          assertSum(sum, exact, exact(added, false));
        }
      }
    }
  }

  @Test
  void gradientsAreLibtorchs() {
    try (var scope = Scope.open()) {
      var x = random(2, 5, 24).set_requires_grad(true);
      var weight = random(40, 24).set_requires_grad(true);
      var upstream = random(2, 5, 40);
      var ours = everything(Linear.apply(x, weight), x, weight, upstream);
      var theirs = everything(Linear.plain(x, weight), x, weight, upstream);
      for (int i = 0; i < ours.size(); i++) assertClose(ours.get(i), exact(theirs.get(i), false));
    }
  }

  @Test
  void aFixedMatrixHasNoGradient() {
    try (var scope = Scope.open()) {
      var x = random(2, 5, 24).set_requires_grad(true);
      var weight = random(40, 24);
      var upstream = random(2, 5, 40);
      assertThat(Linear.isOurs(x, weight)).isTrue();
      Linear.apply(x, weight).mul(upstream).sum().backward();
      assertClose(x.grad(), exact(upstream, false).matmul(exact(weight, false)));
      assertThat(weight.grad().defined()).isFalse();
    }
  }

  @Test
  void aProductIsCaptured() {
    try (var scope = Scope.withoutGradients()) {
      var left = random(64, 32);
      var right = random(48, 32);
      var out = torch.zeros(new long[] {64, 48}, Device.CUDA.options(Dtype.BF16));
      Runnable work = () -> MatrixProduct.into(out, left, false, right, true, null);
      CudaGraph.warmUp(work);
      out.zero_();
      try (var graph = CudaGraph.capture(work)) {
        graph.replay();
        Device.CUDA.synchronize();
        assertClose(out, exact(left, false).matmul(exact(right, true)));
      }
    }
  }

  @Test
  void whatIsReplayedGetsTheFastestAlgorithmAndKeepsFewRowsWhereTheyWere() {
    try (var scope = Scope.withoutGradients()) {
      var x = random(96, 32);
      var weight = random(48, 32);
      assertThat(Linear.isOurs(x, weight)).isFalse();
      CudaGraph.warmUp(() -> {
        assertThat(Linear.isOurs(x, weight)).isTrue();
        assertThat(Linear.isOurs(x.narrow(0, 0, 1), weight)).isFalse();
        assertClose(Linear.apply(x, weight), exact(x, false).matmul(exact(weight, true)));
      });
    }
  }

  @Test
  void wideProductsAreNotRounded() {
    try (var scope = Scope.withoutGradients()) {
      var weight = random(500, 64);
      for (int rows : new int[] {1, 16, 40}) {
        var x = random(2, rows, 64);
        for (var matrix : List.of(weight, Int8Matrix.pack(weight))) {
          var wide = Linear.wide(x, matrix);
          var floats = Int8Matrix.is(matrix) ? Int8Matrix.unpack(matrix, 64, Dtype.BF16) : matrix;
          double error = wide.sub(torch.linear(exact(x, false), exact(floats, false))).abs().max().item_double();
          assertThat(Dtype.of(wide)).isEqualTo(Dtype.F32);
          // Bytes are multiplied by their scale after the sum, or before and then rounded.
          assertThat(error).isLessThan(Int8Matrix.is(matrix) ? 0.1 : 1e-3);
        }
      }
    }
  }

  private static List<Tensor> everything(Tensor y, Tensor x, Tensor weight, Tensor upstream) {
    y.mul(upstream).sum().backward();
    var all = List.of(y.detach(), x.grad().clone(), weight.grad().clone());
    x.mutable_grad().reset();
    weight.mutable_grad().reset();
    return all;
  }

  private static Tensor random(long... shape) {
    return torch.randn(shape, Device.CUDA.options(Dtype.BF16));
  }

  private static Tensor exact(Tensor t, boolean transposed) {
    var wide = t.to(Dtype.F64.scalarType());
    return transposed ? wide.t() : wide;
  }

  /** Where a product and what is added cancel out, the product's own rounding is what is left. */
  private static void assertSum(Tensor actual, Tensor product, Tensor added) {
    assertClose(actual, product.add(added), product.abs().add(added.abs()));
  }

  private static void assertClose(Tensor actual, Tensor exact) {
    assertClose(actual, exact, exact.abs());
  }

  private static void assertClose(Tensor actual, Tensor exact, Tensor size) {
    double error = actual.to(Dtype.F64.scalarType()).sub(exact).abs().max().item_double();
    double largest = Math.max(1, Memory.doubles(size.max())[0]);
    assertThat(error / largest).isLessThan(TOLERANCE);
  }
}
