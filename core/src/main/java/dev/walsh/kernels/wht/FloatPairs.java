package dev.walsh.kernels.wht;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

import static dev.walsh.kernels.wht.FloatSylvester.BYTES;
import static dev.walsh.kernels.wht.FloatSylvester.LANES;
import static dev.walsh.kernels.wht.FloatSylvester.S;
import static dev.walsh.kernels.wht.FloatSylvester.SIGN1;
import static dev.walsh.kernels.wht.FloatSylvester.SIGN2;
import static dev.walsh.kernels.wht.FloatSylvester.SIGN4;
import static dev.walsh.kernels.wht.FloatSylvester.SWAP1;
import static dev.walsh.kernels.wht.FloatSylvester.SWAP2;
import static dev.walsh.kernels.wht.FloatSylvester.SWAP4;
import static dev.walsh.kernels.wht.RawMemory.ADDRESS;
import static dev.walsh.kernels.wht.RawMemory.ALL;
import static dev.walsh.kernels.wht.RawMemory.ORDER;
import static dev.walsh.kernels.wht.RawMemory.STRIDE;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

/**
 * Columns of half a vector, as in H_16 ⊗ P_12 ⊗ S_8 with 16 lanes, put side by side: the half-vectors a₀ a₁ … of one block and b₀ b₁ … of
 * the next become the vectors [a₀ b₀] [a₁ b₁] ….
 */
final class FloatPairs {
  private static final VectorShuffle<Float> HALVES = VectorShuffle.fromOp(S, lane -> (lane + LANES / 2) % LANES);

  private static final VectorMask<Float> LOW = S.indexInRange(0, Math.max(1, LANES / 2));

  private FloatPairs() {}

  /**
   * Packs pairs of blocks of {@code block} bytes each, a multiple of a vector.
   *
   * @param inside whether each half-vector is multiplied by Sylvester's matrix of its length on the way
   */
  static void pack(long in, long out, long pairs, long block, boolean inside, float scale) {
    long second = block & STRIDE;
    long middle = in + block;
    for (long end = in + 2 * pairs * block; in != end; out += 2 * BYTES) {
      long i = in & ADDRESS;
      long o = out & ADDRESS;
      var a = fromMemorySegment(S, ALL, i, ORDER).mul(scale);
      var b = fromMemorySegment(S, ALL, i + second, ORDER).mul(scale);
      if (inside) {
        a = halves(a);
        b = halves(b);
      }
      b.rearrange(HALVES).blend(a, LOW).intoMemorySegment(ALL, o, ORDER);
      b.blend(a.rearrange(HALVES), LOW).intoMemorySegment(ALL, o + BYTES, ORDER);
      in += BYTES;
      if (in == middle) {
        in += block;
        middle = in + block;
      }
    }
  }

  private static FloatVector halves(FloatVector v) {
    if (LANES > 2) {
      v = v.fma(SIGN1, v.rearrange(SWAP1));
    }
    if (LANES > 4) {
      v = v.fma(SIGN2, v.rearrange(SWAP2));
    }
    if (LANES > 8) {
      v = v.fma(SIGN4, v.rearrange(SWAP4));
    }
    return v;
  }

  /** The inverse of {@link #pack}, but for what it multiplied by. */
  static void unpack(long in, long out, long pairs, long block) {
    long second = block & STRIDE;
    long middle = out + block;
    for (long end = out + 2 * pairs * block; out != end; in += 2 * BYTES) {
      long i = in & ADDRESS;
      long o = out & ADDRESS;
      var even = fromMemorySegment(S, ALL, i, ORDER);
      var odd = fromMemorySegment(S, ALL, i + BYTES, ORDER);
      odd.rearrange(HALVES).blend(even, LOW).intoMemorySegment(ALL, o, ORDER);
      odd.blend(even.rearrange(HALVES), LOW).intoMemorySegment(ALL, o + second, ORDER);
      out += BYTES;
      if (out == middle) {
        out += block;
        middle = out + block;
      }
    }
  }
}
