package dev.walsh.kernels.wht;

import dev.walsh.kernels.wht.HadamardJoin.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.params.provider.Arguments.arguments;

/** What every {@link HadamardJoin} does, each implementation being a subclass. */
abstract class HadamardJoinContract {
  static final double EPS = 1e-5;

  abstract HadamardJoin create(HadamardFactors factors, int channels, double eps, int threads);

  /** Native memory of one call: y, x, x', n, their gradients, the weights and theirs, filled at random. */
  static final class Call {
    final ElementType type;
    final int rows;
    final int d;
    final MemorySegment y;
    final MemorySegment x;
    final MemorySegment xOut;
    final MemorySegment n;
    final MemorySegment dxOut;
    final MemorySegment dn;
    final MemorySegment dy;
    final MemorySegment dx;
    final Weights weights;
    final Weights gradients;

    Call(Arena arena, ElementType type, int rows, int d) {
      this.type = type;
      this.rows = rows;
      this.d = d;
      var random = new Random(31L * rows + d);
      y = matrix(arena, random, rows, type);
      x = matrix(arena, random, rows, type);
      dxOut = matrix(arena, random, rows, type);
      dn = matrix(arena, random, rows, type);
      xOut = poison(matrix(arena, random, rows, type));
      n = poison(matrix(arena, random, rows, type));
      dy = poison(matrix(arena, random, rows, type));
      dx = poison(matrix(arena, random, rows, type));
      var own = type == ElementType.F64 ? type : ElementType.F32;
      weights = new Weights(matrix(arena, random, 1, own), matrix(arena, random, 1, own), matrix(arena, random, 1, own));
      gradients = new Weights(poison(matrix(arena, random, 1, own)), poison(matrix(arena, random, 1, own)),
          poison(matrix(arena, random, 1, own)));
    }

    private MemorySegment matrix(Arena arena, Random random, int count, ElementType own) {
      var segment = arena.allocate(Math.max(1, (long) count * d * own.bytes()));
      for (long i = 0; i < (long) count * d; i++) {
        own.store(segment.address() + i * own.bytes(), random.nextDouble(-1, 1));
      }
      return segment;
    }

    private static MemorySegment poison(MemorySegment segment) {
      return segment.fill((byte) -1);
    }

    void run(HadamardJoin join) {
      join.forward(type, rows, y, x, weights, xOut, n);
      join.backward(type, rows, y, xOut, weights, dxOut, dn, dy, dx, gradients);
    }

    static double[] values(MemorySegment segment, ElementType type, int count) {
      var values = new double[count];
      for (int i = 0; i < count; i++) {
        values[i] = type.load(segment.address() + (long) i * type.bytes());
      }
      return values;
    }

    /** All that the call wrote: x', n, dy, dx, then the gradients of alpha, beta and gain. */
    double[][] results() {
      var own = type == ElementType.F64 ? type : ElementType.F32;
      return new double[][] {values(xOut, type, rows * d), values(n, type, rows * d), values(dy, type, rows * d),
          values(dx, type, rows * d), values(gradients.alpha(), own, d), values(gradients.beta(), own, d),
          values(gradients.gain(), own, d)};
    }
  }

  static void assertClose(String what, double[] actual, double[] expected, double tolerance) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int i = 0; i < actual.length; i++) {
      if (!(Math.abs(actual[i] - expected[i]) <= tolerance)) {
        assertThat(actual[i]).as("%s, element %d", what, i).isCloseTo(expected[i], within(tolerance));
      }
    }
  }

  static Stream<Arguments> shapes() {
    return Stream.of(arguments(HadamardFactors.of(1, 1), 1), arguments(HadamardFactors.of(12, 1), 1),
        arguments(HadamardFactors.of(96, 8), 1),
        arguments(HadamardFactors.of(240, 12), 1), arguments(HadamardFactors.of(768, 12), 1), arguments(HadamardFactors.of(12, 1), 64),
        arguments(HadamardFactors.of(16, 1), 8), arguments(HadamardFactors.of(4, 1), 10), arguments(HadamardFactors.of(20, 1), 24),
        arguments(HadamardFactors.of(1, 1), 16));
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void agreesWithTheDenseProductInFloat64(HadamardFactors factors, int channels) {
    int d = factors.order() * channels;
    var join = create(factors, channels, EPS, 2);
    assertThat(join.width()).isEqualTo(d);
    for (var type : new ElementType[] {ElementType.F64, ElementType.F32}) {
      double tolerance = type == ElementType.F64 ? 1e-12 : 2e-5;
      for (int rows : d > 256 ? new int[] {0, 1, 3} : new int[] {0, 1, 3, 63, 137}) {
        try (var arena = Arena.ofConfined()) {
          var call = new Call(arena, type, rows, d);
          call.run(join);
          var expected = DenseJoin.run(call, factors, channels, EPS);
          var results = call.results();
          for (int k = 0; k < expected.length; k++) {
            assertThat(results[k]).as("result %d of %d rows of %s", k, rows, type)
                .usingComparatorWithPrecision(tolerance * (k < 4 ? 1 : 10))
                .containsExactly(expected[k]);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(value = ElementType.class, names = {"BF16", "F16"})
  void halvesAreTheRoundedFloat64Results(ElementType type) {
    var factors = HadamardFactors.of(192, 16);
    var join = create(factors, 1, EPS, 2);
    try (var arena = Arena.ofConfined()) {
      var call = new Call(arena, type, 63, 192);
      call.run(join);
      var expected = DenseJoin.run(call, factors, 1, EPS);
      var results = call.results();
      double step = type == ElementType.BF16 ? 0x1p-7 : 0x1p-10;
      for (int k = 0; k < 4; k++) {
        for (int i = 0; i < expected[k].length; i++) {
          double tolerance = step * Math.max(0.5, Math.abs(expected[k][i]));
          assertThat(Math.abs(results[k][i] - expected[k][i]) <= tolerance).as("result %d, element %d", k, i).isTrue();
        }
      }
      for (int k = 4; k < 7; k++) {
        assertClose("result " + k, results[k], expected[k], 1e-4);
      }
    }
  }

  @Test
  void everyGradientAgreesWithFiniteDifferences() {
    var factors = HadamardFactors.of(12, 1);
    var join = create(factors, 1, EPS, 1);
    try (var arena = Arena.ofConfined()) {
      var call = new Call(arena, ElementType.F64, 3, 12);
      call.run(join);
      var gradients = call.results();
      MemorySegment[] inputs = {call.y, call.x, call.weights.alpha(), call.weights.beta(), call.weights.gain()};
      for (int k = 0; k < inputs.length; k++) {
        for (int i = 0; i < inputs[k].byteSize() / 8; i++) {
          double numeric = (loss(join, call, inputs[k], i, 1e-5) - loss(join, call, inputs[k], i, -1e-5)) / 2e-5;
          assertThat(gradients[k + 2][i]).as("gradient %d, element %d", k, i).isCloseTo(numeric, within(1e-8));
        }
      }
    }
  }

  /** The sum of x' ⊙ dxOut + n ⊙ dn after one input moves. */
  private static double loss(HadamardJoin join, Call call, MemorySegment input, int element, double by) {
    long address = input.address() + 8L * element;
    double value = RawMemory.getDouble(address);
    RawMemory.putDouble(address, value + by);
    join.forward(call.type, call.rows, call.y, call.x, call.weights, call.xOut, call.n);
    RawMemory.putDouble(address, value);
    double loss = 0;
    for (long i = 0; i < (long) call.rows * call.d * 8; i += 8) {
      loss += RawMemory.getDouble(call.xOut.address() + i) * RawMemory.getDouble(call.dxOut.address() + i)
          + RawMemory.getDouble(call.n.address() + i) * RawMemory.getDouble(call.dn.address() + i);
    }
    return loss;
  }

  @ParameterizedTest
  @EnumSource(ElementType.class)
  void inPlaceAndAgainGivesTheSameBits(ElementType type) {
    var join = create(HadamardFactors.of(96, 8), 1, EPS, 2);
    try (var arena = Arena.ofConfined()) {
      var apart = new Call(arena, type, 1000, 96);
      apart.run(join);
      var expected = apart.results();
      apart.run(join);
      assertThat(Arrays.deepEquals(apart.results(), expected)).as("a second run").isTrue();
      var call = new Call(arena, type, 1000, 96);
      var y = arena.allocate(call.y.byteSize()).copyFrom(call.y);
      join.forward(type, call.rows, y, call.x, call.weights, call.x, y);
      assertThat(call.x.mismatch(apart.xOut)).isEqualTo(-1);
      assertThat(y.mismatch(apart.n)).isEqualTo(-1);
      join.backward(type, call.rows, call.y, call.x, call.weights, call.dxOut, call.dn, call.y, call.dxOut, call.gradients);
      assertThat(call.y.mismatch(apart.dy)).isEqualTo(-1);
      assertThat(call.dxOut.mismatch(apart.dx)).isEqualTo(-1);
    }
  }

  /** With H_dh in the value projection, what remains is the mix over heads. */
  @Test
  void theFoldedFormIsTheFullFormOfFoldedValues() {
    int heads = 12;
    int channels = 64;
    try (var arena = Arena.ofConfined()) {
      var full = new Call(arena, ElementType.F64, 5, heads * channels);
      full.run(create(HadamardFactors.of(heads * channels, heads), 1, EPS, 1));
      var folded = new Call(arena, ElementType.F64, 5, heads * channels);
      Wht.create(HadamardFactors.of(channels, 1)).transform(ElementType.F64, Wht.Direction.FORWARD, 5L * heads, folded.y, folded.y);
      folded.run(create(HadamardFactors.of(HadamardOrder.of(heads)), channels, EPS, 1));
      var expected = full.results();
      var results = folded.results();
      for (int k : new int[] {0, 1, 3, 4, 5, 6}) {
        assertClose("result " + k, results[k], expected[k], 1e-12);
      }
      Wht.create(HadamardFactors.of(channels, 1)).transform(ElementType.F64, Wht.Direction.TRANSPOSE, 5L * heads, folded.dy, folded.dy);
      assertClose("dy", folded.results()[2], expected[2], 1e-12);
    }
  }

  @Test
  void badArgumentsAreRefused() {
    var join = create(HadamardFactors.of(16, 1), 1, EPS, 1);
    try (var arena = Arena.ofConfined()) {
      var call = new Call(arena, ElementType.F32, 4, 16);
      assertThatThrownBy(() -> join.forward(call.type, 5, call.y, call.x, call.weights, call.xOut, call.n)).hasMessageContaining("5 rows");
      assertThatThrownBy(() -> join.forward(call.type, 2, call.y, call.x, call.weights, call.x.asSlice(4), call.n))
          .hasMessageContaining("overlap");
      assertThatThrownBy(() -> join.forward(call.type, 2, call.y, call.x, call.weights, call.xOut, call.xOut))
          .hasMessageContaining("another output");
      assertThatThrownBy(() -> join.forward(ElementType.F64, 1, call.y, call.x, call.weights, call.xOut, call.n))
          .hasMessageContaining("need 128 bytes");
    }
    assertThatThrownBy(() -> create(HadamardFactors.of(16, 1), 0, EPS, 1)).hasMessageContaining("channel");
  }
}
