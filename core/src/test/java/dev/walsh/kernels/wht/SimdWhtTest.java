package dev.walsh.kernels.wht;

import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import static org.assertj.core.api.Assertions.assertThat;

/** The vector kernels keep the contract, and they are what runs here. */
final class SimdWhtTest extends WhtContract {
  @Override
  CpuWht create(HadamardFactors factors, HadamardVariant variant, double scale, int threads) {
    var wht = Wht.create(factors, variant, scale, threads);
    assertThat(wht).isInstanceOf(Simd.class);
    return wht;
  }

  @Override
  int largestBasis() {
    return 2048;
  }

  @Test
  void saysWhatRuns() {
    assertThat(Wht.create(HadamardFactors.of(768, 12)).describe()).matches("simd \\(\\d+ bits, \\d+ threads\\)");
  }

  /** All 65,536 halves widen, and every float near a half narrows, as the JDK's scalar conversions do. */
  @ParameterizedTest
  @EnumSource(value = ElementType.class, names = {"BF16", "F16"})
  void halvesConvertAsTheScalarsDo(ElementType type) {
    int n = 1 << 16;
    try (var arena = Arena.ofConfined()) {
      var halves = arena.allocate(2L * n);
      var floats = arena.allocate(4L * n);
      for (int i = 0; i < n; i++) {
        RawMemory.putShort(halves.address() + 2L * i, (short) i);
      }
      HalfFloats.widen(type, halves.address(), floats.address(), n);
      for (int i = 0; i < n; i++) {
        var wide = Double.valueOf(RawMemory.getFloat(floats.address() + 4L * i));
        assertThat(wide).isEqualTo(Double.valueOf(type.load(halves.address() + 2L * i)));
      }
      var back = arena.allocate(2L * n);
      var expected = arena.allocate(2);
      for (int delta : new int[] {0, -1, 1, 0xFFF, 0x1000, 0x1001, 0x7FFF, 0x8000, 0x8001}) {
        for (int i = 0; i < n; i++) {
          int bits = Float.floatToRawIntBits((float) type.load(halves.address() + 2L * i)) + delta;
          RawMemory.putFloat(floats.address() + 4L * i, Float.intBitsToFloat(bits));
        }
        HalfFloats.narrow(type, floats.address(), back.address(), n);
        for (int i = 0; i < n; i++) {
          float value = RawMemory.getFloat(floats.address() + 4L * i);
          type.store(expected.address(), value);
          double wanted = type.load(expected.address());
          double got = type.load(back.address() + 2L * i);
          if (Double.compare(got, wanted) != 0) {
            assertThat(got).as("%a narrowed", value).isEqualTo(wanted);
          }
        }
      }
    }
  }
}
