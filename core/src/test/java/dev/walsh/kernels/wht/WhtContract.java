package dev.walsh.kernels.wht;

import dev.walsh.config.UserError;
import dev.walsh.kernels.wht.Wht.Direction;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

/** What every {@link CpuWht} does, each implementation being a subclass. */
abstract class WhtContract {
  private static final int THREADS = 2;

  abstract CpuWht create(HadamardFactors factors, HadamardVariant variant, double scale, int threads);

  /** The largest order of which all basis vectors are transformed. */
  abstract int largestBasis();

  private CpuWht create(HadamardFactors factors, HadamardVariant variant) {
    return create(factors, variant, 1 / Math.sqrt(factors.order()), THREADS);
  }

  private CpuWht create(HadamardFactors factors) {
    return create(factors, HadamardVariant.NATURAL);
  }

  /** The product with H row by row, in float64, straight from the matrix of signs. */
  private static double[] dense(HadamardMatrix matrix, Direction direction, double[] in) {
    int d = matrix.order();
    var h = matrix.signs();
    double scale = 1 / Math.sqrt(d);
    var out = new double[in.length];
    for (int row = 0; row < in.length; row += d) {
      for (int i = 0; i < d; i++) {
        for (int j = 0; j < d; j++) {
          out[row + j] += in[row + i] * h[direction == Direction.FORWARD ? i * d + j : j * d + i] * scale;
        }
      }
    }
    return out;
  }

  private static double[] random(long n, long seed) {
    return new Random(seed).doubles(n, -1, 1).toArray();
  }

  /** Rows with a given stride, the gaps filled with NaN. */
  private static MemorySegment store(Arena arena, ElementType type, double[] values, int width, int stride) {
    int rows = values.length / width;
    var segment = arena.allocate(Math.max(1, (long) rows * stride * type.bytes()));
    for (long at = 0; at < (long) rows * stride; at++) {
      int lane = (int) (at % stride);
      type.store(segment.address() + at * type.bytes(), lane < width ? values[(int) (at / stride) * width + lane] : Double.NaN);
    }
    return segment;
  }

  private static double[] load(ElementType type, MemorySegment segment, int rows, int width, int stride) {
    var values = new double[rows * width];
    for (int at = 0; at < values.length; at++) {
      values[at] = type.load(segment.address() + ((long) at / width * stride + at % width) * type.bytes());
    }
    return values;
  }

  private static void assertClose(double[] actual, double[] expected, double tolerance) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int i = 0; i < actual.length; i++) {
      if (!(Math.abs(actual[i] - expected[i]) <= tolerance)) {
        assertThat(actual[i]).as("element %d", i).isCloseTo(expected[i], within(tolerance));
      }
    }
  }

  static Stream<HadamardFactors> matrices() {
    var orders = Stream
        .of(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 12, 20, 24, 28, 36, 40, 44, 48, 56, 60, 68, 96, 112, 144, 176, 192,
            240, 320, 704, 768, 1536)
        .map(d -> HadamardFactors.of(HadamardOrder.of(d)));
    var models = Stream
        .of(new int[][] {{144, 12}, {192, 16}, {400, 20}, {768, 12}, {1024, 16}, {1536, 16}, {96, 2}, {192, 4}, {240, 4}, {80, 20}})
        .map(shape -> HadamardFactors.of(shape[0], shape[1]));
    return Stream.concat(orders, models);
  }

  @ParameterizedTest
  @MethodSource("matrices")
  void isTheDenseProductForwardAndTransposed(HadamardFactors factors) {
    assertIsTheDenseProduct(factors, HadamardVariant.NATURAL);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 16, 32, 64, 256, 1024})
  void sequencyOrderIsItsDenseProduct(int d) {
    assertIsTheDenseProduct(HadamardFactors.of(HadamardOrder.of(d)), HadamardVariant.SEQUENCY);
    assertIsTheDenseProduct(HadamardFactors.of(d, Math.min(d, 4)), HadamardVariant.SEQUENCY);
  }

  @ParameterizedTest
  @CsvSource({"8,1", "12,1", "20,1", "24,1", "28,1", "36,1", "40,1", "60,1", "96,2", "192,16", "240,12", "320,1", "768,1", "1536,16"})
  void theSymmetricMatrixIsItsDenseProduct(int d, int heads) {
    assertIsTheDenseProduct(HadamardFactors.of(d, heads), HadamardVariant.SYMMETRIC);
  }

  private void assertIsTheDenseProduct(HadamardFactors factors, HadamardVariant variant) {
    int d = factors.order();
    var wht = create(factors, variant);
    var x = random(3L * d, d);
    try (var arena = Arena.ofConfined()) {
      for (var direction : Direction.values()) {
        var expected = dense(HadamardMatrix.of(factors, variant), direction, x);
        var in = store(arena, ElementType.F64, x, d, d);
        var out = arena.allocate(in.byteSize());
        wht.transform(ElementType.F64, direction, 3, in, out);
        assertClose(load(ElementType.F64, out, 3, d, d), expected, 1e-13);
        assertThat(load(ElementType.F64, in, 3, d, d)).isEqualTo(x);

        in = store(arena, ElementType.F32, x, d, d);
        out = arena.allocate(in.byteSize());
        wht.transform(ElementType.F32, direction, 3, in, out);
        assertClose(load(ElementType.F32, out, 3, d, d), expected, 1e-6);
        wht.transform(ElementType.F32, direction, 3, in, in);
        assertThat(in.mismatch(out)).as("in place against out of place").isEqualTo(-1);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(ElementType.class)
  void takesAnyNumberOfRowsWithAnyStride(ElementType type) {
    for (int rows : new int[] {0, 1, 3, 63, 137, 1000}) {
      assertTakesRows(type, HadamardFactors.of(96, 8), HadamardVariant.NATURAL, Direction.FORWARD, rows);
      assertTakesRows(type, HadamardFactors.of(96, 8), HadamardVariant.NATURAL, Direction.TRANSPOSE, rows);
      assertTakesRows(type, HadamardFactors.of(HadamardOrder.of(64)), HadamardVariant.SEQUENCY, Direction.FORWARD, rows);
    }
    assertTakesRows(type, HadamardFactors.of(1536, 16), HadamardVariant.NATURAL, Direction.TRANSPOSE, 63);
    assertTakesRows(type, HadamardFactors.of(768, 12), HadamardVariant.NATURAL, Direction.FORWARD, 137);
  }

  private void assertTakesRows(ElementType type, HadamardFactors factors, HadamardVariant variant, Direction direction, int rows) {
    int d = factors.order();
    var wht = create(factors, variant);
    var matrix = HadamardMatrix.of(factors, variant);
    try (var arena = Arena.ofConfined()) {
      for (int stride : new int[] {d, d + 7}) {
        var in = store(arena, type, random((long) rows * d, rows), d, stride);
        var expected = dense(matrix, direction, load(type, in, rows, d, stride));
        var out = store(arena, type, new double[rows * d], d, d);
        wht.transform(type, direction, rows, in, stride, out, d);
        assertRounded(type, load(type, out, rows, d, d), expected);
        wht.transform(type, direction, rows, in, stride, in, stride);
        assertThat(load(type, in, rows, d, stride)).isEqualTo(load(type, out, rows, d, d));
        for (int r = 0; r < rows && stride > d; r++) {
          assertThat(type.load(in.address() + (r * (long) stride + d) * type.bytes())).as("a gap between rows").isNaN();
        }
      }
    }
  }

  /** Half precision is the float64 result rounded, but for ties that float32 sums decide otherwise. */
  private static void assertRounded(ElementType type, double[] actual, double[] expected) {
    if (type == ElementType.F32 || type == ElementType.F64) {
      assertClose(actual, expected, type == ElementType.F32 ? 1e-6 : 1e-13);
      return;
    }
    int other = 0;
    try (var arena = Arena.ofConfined()) {
      var cell = arena.allocate(2).address();
      for (int i = 0; i < actual.length; i++) {
        type.store(cell, expected[i]);
        other += actual[i] == type.load(cell) ? 0 : 1;
      }
    }
    assertClose(actual, expected, type == ElementType.BF16 ? 0x1p-7 : 0x1p-10);
    assertThat(other).isLessThanOrEqualTo(1 + actual.length / 1000);
  }

  @ParameterizedTest
  @ValueSource(ints = {2560, 3072, 4096, 7168, 8192, 9216, 10240, 11264, 12288, 14336, 16384})
  void wideRowsComeBackFromTheTranspose(int d) {
    var factors = HadamardFactors.of(HadamardOrder.of(d));
    var wht = create(factors);
    var x = random(5L * d, d);
    try (var arena = Arena.ofConfined()) {
      var rows = store(arena, ElementType.F64, x, d, d);
      var out = arena.allocate(rows.byteSize());
      wht.transform(ElementType.F64, Direction.FORWARD, 5, rows, out);
      var y = load(ElementType.F64, out, 5, d, d);
      var h = HadamardMatrix.of(factors);
      for (int j : new int[] {0, 1, d / 3, d - 1}) {
        double sum = 0;
        for (int i = 0; i < d; i++) {
          sum += x[i] * h.sign(i, j);
        }
        assertThat(y[j]).isCloseTo(sum / Math.sqrt(d), within(1e-12));
      }
      wht.transform(ElementType.F64, Direction.TRANSPOSE, 5, out, out);
      assertClose(load(ElementType.F64, out, 5, d, d), x, 1e-13);
    }
  }

  @Test
  void everyBasisVectorComesBackFromTheTranspose() {
    for (int core : new int[] {1, 12, 20, 28, 36, 44}) {
      for (int d = core; d <= largestBasis(); d *= 2) {
        assertBasisComesBack(d);
      }
    }
  }

  private void assertBasisComesBack(int d) {
    var wht = create(HadamardFactors.of(HadamardOrder.of(d)));
    try (var arena = Arena.ofConfined()) {
      var rows = arena.allocate(4L * d * d, 64);
      for (int i = 0; i < d; i++) {
        RawMemory.putFloat(rows.address() + 4L * i * (d + 1), 1);
      }
      wht.transform(ElementType.F32, Direction.FORWARD, d, rows, rows);
      wht.transform(ElementType.F32, Direction.TRANSPOSE, d, rows, rows);
      for (int at = 0; at < d * d; at++) {
        float value = RawMemory.getFloat(rows.address() + 4L * at);
        if (!(Math.abs(value - (at % (d + 1) == 0 ? 1 : 0)) < 2e-6)) {
          assertThat(value).as("order %d, element %d", d, at).isNaN();
        }
      }
    }
  }

  /** The root mean square of the error in float64, ours beside that of libtorch's product with the dense matrix in the same type. */
  @ParameterizedTest
  @CsvSource({"F32,1024", "F32,768", "F32,2560", "BF16,1024", "BF16,768", "F16,768"})
  void errsNoMoreThanTwiceAsMuchAsTorchsProduct(Dtype dtype, int d) {
    var factors = HadamardFactors.of(HadamardOrder.of(d));
    var type = ElementType.of(dtype);
    try (var scope = Scope.withoutGradients()) {
      var in = Memory.tensor(random(16L * d, d), 16, d).to(dtype.scalarType());
      var matrix = Memory.tensor(factors.dense(), d, d);
      var exact = torch.mm(in.to(Dtype.F64.scalarType()), matrix);
      var out = torch.empty_like(in);
      create(factors).transform(type, Direction.FORWARD, 16, Memory.of(in), Memory.of(out));
      double theirs = rms(torch.mm(in, matrix.to(dtype.scalarType())).to(Dtype.F64.scalarType()).sub(exact));
      assertThat(rms(out.to(Dtype.F64.scalarType()).sub(exact))).isLessThanOrEqualTo(2 * theirs);
    }
  }

  private static double rms(Tensor error) {
    return Math.sqrt(error.square().mean().item_double());
  }

  @ParameterizedTest
  @EnumSource(ElementType.class)
  void nanAndInfinityPassThrough(ElementType type) {
    for (int d : new int[] {8, 20, 64, 256, 768}) {
      var wht = create(HadamardFactors.of(HadamardOrder.of(d)));
      var h = HadamardMatrix.of(HadamardOrder.of(d));
      var x = random(3L * d, 1);
      x[5] = Double.NaN;
      x[d + 5] = Double.POSITIVE_INFINITY;
      try (var arena = Arena.ofConfined()) {
        var rows = store(arena, type, x, d, d);
        wht.transform(type, Direction.FORWARD, 3, rows, rows);
        var y = load(type, rows, 3, d, d);
        for (int j = 0; j < d; j++) {
          assertThat(y[j]).isNaN();
          assertThat(y[d + j]).isEqualTo(h.sign(5, j) * Double.POSITIVE_INFINITY);
          assertThat(y[2 * d + j]).isFinite();
        }
      }
    }
  }

  @Test
  void theScaleIsFree() {
    try (var arena = Arena.ofConfined()) {
      var rows = store(arena, ElementType.F32, new double[] {1, 0, 0, 0}, 4, 4);
      create(HadamardFactors.of(HadamardOrder.of(4)), HadamardVariant.NATURAL, 3, 1).transform(ElementType.F32, Direction.FORWARD, 1, rows,
          rows);
      assertThat(load(ElementType.F32, rows, 1, 4, 4)).containsExactly(3, 3, 3, 3);
    }
  }

  @Test
  void aVariantThatDoesNotExistIsRefusedInOneSentence() {
    assertThatThrownBy(() -> create(HadamardFactors.of(768, 12), HadamardVariant.SEQUENCY)).isInstanceOf(UserError.class)
        .hasMessage(
            "There is no Walsh matrix in sequency order of order 12 here: use order 8 or 16, a power of two, or the natural matrix.");
    assertThatThrownBy(() -> create(HadamardFactors.of(HadamardOrder.of(44)), HadamardVariant.SYMMETRIC)).isInstanceOf(UserError.class)
        .hasMessage("There is no symmetric Hadamard matrix of order 44 here: use order 40 or 48 or the natural matrix.");
  }

  @Test
  void badArgumentsAreRefused() {
    var wht = create(HadamardFactors.of(HadamardOrder.of(8)));
    try (var arena = Arena.ofConfined()) {
      var rows = arena.allocate(4 * 8 * 4);
      assertThatThrownBy(() -> wht.transform(ElementType.F32, Direction.FORWARD, 5, rows, rows)).hasMessageContaining("need 160 bytes");
      assertThatThrownBy(() -> wht.transform(ElementType.F32, Direction.FORWARD, -1, rows, rows)).hasMessageContaining("negative");
      assertThatThrownBy(() -> wht.transform(ElementType.F32, Direction.FORWARD, 2, rows, -8, rows, 8)).hasMessageContaining("stride");
      assertThatThrownBy(() -> wht.transform(ElementType.F32, Direction.FORWARD, 2, rows, 7, rows, 8)).hasMessageContaining("stride");
      assertThatThrownBy(() -> wht.transform(ElementType.F32, Direction.FORWARD, 2, rows, rows.asSlice(4))).hasMessageContaining("overlap");
      assertThatThrownBy(() -> wht.transform(ElementType.F32, Direction.FORWARD, 2, rows, 8, rows, 16)).hasMessageContaining("overlap");
      var heap = MemorySegment.ofArray(new float[8]);
      assertThatThrownBy(() -> wht.transform(ElementType.F32, Direction.FORWARD, 1, heap, heap)).hasMessageContaining("native");
    }
    assertThatThrownBy(() -> create(HadamardFactors.of(HadamardOrder.of(8)), HadamardVariant.NATURAL, 1, 0)).hasMessageContaining("thread");
  }
}
