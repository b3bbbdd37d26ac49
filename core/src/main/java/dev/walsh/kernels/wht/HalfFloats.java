package dev.walsh.kernels.wht;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

import static dev.walsh.kernels.wht.RawMemory.ALL;
import static dev.walsh.kernels.wht.RawMemory.ORDER;

/** bf16 and fp16 to float32 and back, many at a time; narrowing rounds to nearest even and keeps NaN a quiet NaN. */
final class HalfFloats {
  private static final VectorSpecies<Float> S = FloatSylvester.S;
  private static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, S.vectorShape());
  private static final VectorSpecies<Short> SHORTS = VectorSpecies.of(short.class, VectorShape.forBitSize(S.vectorBitSize() / 2));
  private static final int LANES = S.length();

  /** 2^112 moves the exponent of an fp16 number, shifted into place, to that of float32; it does so for subnormal numbers too. */
  private static final float REBIAS = 0x1p112f;

  private HalfFloats() {}

  static void widen(ElementType type, long in, long out, long n) {
    long i = 0;
    long whole = n / LANES * LANES;
    if (type == ElementType.BF16) {
      for (; i != whole; i += LANES) {
        bits(in + 2 * i).lanewise(VectorOperators.LSHL, 16).intoMemorySegment(ALL, out + 4 * i, ORDER);
      }
    } else {
      for (; i != whole; i += LANES) {
        fp16ToFloat(bits(in + 2 * i)).intoMemorySegment(ALL, out + 4 * i, ORDER);
      }
    }
    for (; i < n; i++) {
      RawMemory.putFloat(out + 4 * i, (float) type.load(in + 2 * i));
    }
  }

  static void narrow(ElementType type, long in, long out, long n) {
    narrow(type, in, out, n, 1);
  }

  /** Narrows {@code scale} times the floats. */
  static void narrow(ElementType type, long in, long out, long n, float scale) {
    long i = 0;
    long whole = n / LANES * LANES;
    if (type == ElementType.BF16) {
      for (; i != whole; i += LANES) {
        store(floatToBf16(FloatVector.fromMemorySegment(S, ALL, in + 4 * i, ORDER).mul(scale)), out + 2 * i);
      }
    } else {
      for (; i != whole; i += LANES) {
        store(floatToFp16(FloatVector.fromMemorySegment(S, ALL, in + 4 * i, ORDER).mul(scale)), out + 2 * i);
      }
    }
    for (; i < n; i++) {
      type.store(out + 2 * i, RawMemory.getFloat(in + 4 * i) * scale);
    }
  }

  private static IntVector bits(long address) {
    return (IntVector) ShortVector.fromMemorySegment(SHORTS, ALL, address, ORDER).convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
  }

  private static void store(IntVector halves, long address) {
    ((ShortVector) halves.convertShape(VectorOperators.I2S, SHORTS, 0)).intoMemorySegment(ALL, address, ORDER);
  }

  private static FloatVector fp16ToFloat(IntVector half) {
    var magnitude = half.and(0x7FFF).lanewise(VectorOperators.LSHL, 13);
    var finite = magnitude.reinterpretAsFloats().mul(REBIAS).reinterpretAsInts();
    var special = magnitude.compare(VectorOperators.GE, 0x7C00 << 13);
    var sign = half.and(0x8000).lanewise(VectorOperators.LSHL, 16);
    return finite.blend(magnitude.or(0x7F80_0000), special).or(sign).reinterpretAsFloats();
  }

  private static IntVector floatToBf16(FloatVector value) {
    var bits = value.reinterpretAsInts();
    var even = bits.lanewise(VectorOperators.LSHR, 16).and(1);
    var rounded = bits.add(even).add(0x7FFF).lanewise(VectorOperators.LSHR, 16);
    var quiet = bits.lanewise(VectorOperators.LSHR, 16).or(0x40);
    return rounded.blend(quiet, value.test(VectorOperators.IS_NAN).cast(INTS));
  }

  /** Normal results are rounded in integers, subnormal ones by adding 1/2, whose last place is that of the fp16 subnormals. */
  private static IntVector floatToFp16(FloatVector value) {
    var bits = value.reinterpretAsInts();
    var magnitude = bits.and(0x7FFF_FFFF);
    var even = magnitude.lanewise(VectorOperators.LSHR, 13).and(1);
    var normal = magnitude.add((15 - 127) << 23).add(0xFFF).add(even).lanewise(VectorOperators.LSHR, 13);
    var subnormal = magnitude.reinterpretAsFloats().add(0.5f).reinterpretAsInts().sub(Float.floatToRawIntBits(0.5f));
    var infinite = magnitude.compare(VectorOperators.GE, 0x477F_F000);
    var nan = magnitude.compare(VectorOperators.GT, 0x7F80_0000);
    var payload = magnitude.lanewise(VectorOperators.LSHR, 13).and(0x3FF).or(0x7E00);
    var half = normal.blend(subnormal, magnitude.compare(VectorOperators.LT, 0x3880_0000)).blend(0x7C00, infinite).blend(payload, nan);
    return half.or(bits.lanewise(VectorOperators.LSHR, 16).and(0x8000));
  }
}
