package dev.walsh.kernels.nn;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.Arrays;
import java.util.Collections;
import java.util.Random;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** The kernels of one token a sequence against libtorch's operators in float64. */
final class PagedAttentionTest {
  private static final int PAGE = 16;

  @ParameterizedTest
  @CsvSource({"F32,12,64", "F32,3,10", "BF16,12,64", "BF16,4,96", "BF16,2,128", "BF16,3,10"})
  void theVectorsComputeWhatLibtorchDoes(Dtype dtype, int heads, int headWidth) {
    compare(Device.CPU, dtype, heads, headWidth, 0, 1, 15, 16, 17, 100, 255);
  }

  @ParameterizedTest
  @CsvSource({"BF16,12,64", "BF16,16,96", "BF16,20,128", "BF16,3,10", "F16,12,64", "F32,12,64", "F32,16,128", "F32,2,6"})
  void soDoesTheKernel(Dtype dtype, int heads, int headWidth) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    compare(Device.CUDA, dtype, heads, headWidth, 999);
    compare(Device.CUDA, dtype, heads, headWidth, 0, 1, 15, 16, 17, 31, 100, 255, 1000);
    compare(Device.CUDA, dtype, heads, headWidth, LongStream.range(0, 700).map(i -> i * 37 % 200).toArray());
  }

  private static void compare(Device device, Dtype dtype, int heads, int headWidth, long... lengths) {
    try (var scope = Scope.withoutGradients()) {
      int batch = lengths.length;
      long longest = Arrays.stream(lengths).max().orElseThrow();
      long pages = longest / PAGE + 1;
      var table = table(batch, pages, device);
      var cache = cache(device, dtype, batch * pages, heads, headWidth);
      var packed = Exactly.random(device, dtype, batch, 3L * heads * headWidth);
      var positions = Memory.tensor(lengths, batch).to(device.options(Dtype.I64), false, false, null);
      var wideCache = new KvLayer(wide(cache.keys()), wide(cache.values()));
      try (var attention = attention(device, dtype, longest + 1, heads, headWidth, batch);
          var exactly = attention(device, Dtype.F64, longest + 1, heads, headWidth, batch)) {
        var expected = exactly.plain(wide(packed), wideCache, positions, table);
        // The counters of the blocks must be as before after each call.
        for (int call = 0; call < 2; call++) {
          var out = attention.apply(packed.clone(), cache, positions, table);
          double error = out.to(Dtype.F64.scalarType()).sub(expected).abs().max().item_double();
          assertThat(error).as("the greatest error").isLessThan(tolerance(dtype));
        }
        assertSame(cache.keys(), wideCache.keys(), dtype);
        assertSame(cache.values(), wideCache.values(), dtype);
      }
    }
  }

  private static PagedAttention attention(Device device, Dtype dtype, long context, int heads, int headWidth, int rows) {
    return new PagedAttention(new Rope((int) context, headWidth, 10_000, new Weights(device, dtype, 0).at("rope")), rows, heads, device);
  }

  /** Angles and results are rounded once or twice; the values are of order one. */
  private static double tolerance(Dtype dtype) {
    return switch (dtype) {
      case BF16 -> 4e-2;
      case F16 -> 4e-3;
      default -> 2e-5;
    };
  }

  /** Each sequence has pages of its own, in no order. */
  private static Tensor table(int batch, long pages, Device device) {
    var all = LongStream.range(0, batch * pages).boxed().toArray(Long[]::new);
    Collections.shuffle(Arrays.asList(all), new Random(4));
    var table = Arrays.stream(all).mapToLong(Long::longValue).toArray();
    return Memory.tensor(table, batch, pages).to(device.options(Dtype.I64), false, false, null);
  }

  private static KvLayer cache(Device device, Dtype dtype, long pages, int heads, int headWidth) {
    return new KvLayer(Exactly.random(device, dtype, pages, PAGE, heads, headWidth),
        Exactly.random(device, dtype, pages, PAGE, heads, headWidth));
  }

  private static Tensor wide(Tensor t) {
    return t.to(Dtype.F64.scalarType());
  }

  private static void assertSame(Tensor actual, Tensor expected, Dtype dtype) {
    var error = wide(actual).sub(expected).abs().sub(expected.abs().add(new Scalar(1)).mul(new Scalar(tolerance(dtype) / 2)));
    assertThat(error.max().item_double()).as("what the cache holds").isLessThan(0);
  }
}
