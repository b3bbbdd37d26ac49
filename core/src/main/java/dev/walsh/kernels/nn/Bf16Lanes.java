package dev.walsh.kernels.nn;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** A vector of floats whose memory is bf16. */
final class Bf16Lanes {
  static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, FLOATS.vectorShape());
  private static final VectorSpecies<Short> SHORTS = VectorSpecies.of(short.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();

  private Bf16Lanes() {}

  /** @param at the number of the first element */
  static FloatVector load(MemorySegment from, long at) {
    var bits = (IntVector) ShortVector.fromMemorySegment(SHORTS, from, at * Short.BYTES, ORDER)
        .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
    return bits.lanewise(VectorOperators.LSHL, Short.SIZE).reinterpretAsFloats();
  }

  /** Rounds finite values to the nearest, ties to even. */
  static void store(FloatVector value, MemorySegment to, long at) {
    var bits = value.reinterpretAsInts();
    var even = bits.lanewise(VectorOperators.LSHR, Short.SIZE).and(1);
    var rounded = bits.add(even).add(0x7FFF).lanewise(VectorOperators.LSHR, Short.SIZE);
    ((ShortVector) rounded.convertShape(VectorOperators.I2S, SHORTS, 0)).intoMemorySegment(to, at * Short.BYTES, ORDER);
  }

  static float widen(short bits) {
    return Float.intBitsToFloat(bits << Short.SIZE);
  }

  /** As {@link #store}, but NaN stays NaN. */
  static short narrow(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) return (short) (bits >>> Short.SIZE | 0x40);
    return (short) (bits + 0x7FFF + (bits >>> Short.SIZE & 1) >>> Short.SIZE);
  }
}
