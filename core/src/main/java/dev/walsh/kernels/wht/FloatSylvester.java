package dev.walsh.kernels.wht;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

import static dev.walsh.kernels.wht.RawMemory.ALL;
import static dev.walsh.kernels.wht.RawMemory.ORDER;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

/**
 * Vector kernels of Sylvester's matrix on float32 rows: the stages between neighbours, inside a vector and between the vectors of a block.
 *
 * <p>Inside a vector, the stage of half-length h is v ↦ v ⊙ sign_h + swap_h(v): one shuffle and one fused multiply-add, exact since the
 * signs are ±1. Between vectors a stage is an addition and a subtraction, and the vectors of a block go through all their stages in
 * registers. Kernels call no helper of their own in their loops: beyond some thousand nodes the JIT compiler stops inlining what is not
 * force-inlined, and every vector would then be boxed.
 */
final class FloatSylvester {
  static final VectorSpecies<Float> S = longest();
  static final int LANES = S.length();
  static final int BYTES = S.vectorByteSize();

  static final VectorShuffle<Float> SWAP1 = swap(1);
  static final VectorShuffle<Float> SWAP2 = swap(2);
  static final VectorShuffle<Float> SWAP4 = swap(4);
  static final VectorShuffle<Float> SWAP8 = swap(8);
  static final FloatVector SIGN1 = sign(1);
  static final FloatVector SIGN2 = sign(2);
  static final FloatVector SIGN4 = sign(4);
  static final FloatVector SIGN8 = sign(8);

  private FloatSylvester() {}

  /** The vectors that this CPU prefers, but no longer than the stages inside a vector below provide for. */
  private static VectorSpecies<Float> longest() {
    var preferred = FloatVector.SPECIES_PREFERRED;
    return preferred.vectorBitSize() > 512 ? FloatVector.SPECIES_512 : preferred;
  }

  private static VectorShuffle<Float> swap(int half) {
    return VectorShuffle.fromOp(S, lane -> half < LANES ? lane ^ half : lane);
  }

  private static FloatVector sign(int half) {
    var signs = new float[LANES];
    for (int lane = 0; lane < LANES; lane++) {
      signs[lane] = (lane & half) == 0 ? 1 : -1;
    }
    return FloatVector.fromArray(S, signs, 0);
  }

  /**
   * The sum of the lanes, always by the same tree. ({@code reduceLanes} may add in another order once compiled, which would make a result
   * depend on how warm the JVM is.)
   */
  static float sum(FloatVector v) {
    if (LANES > 8) {
      v = v.add(v.rearrange(SWAP8));
    }
    if (LANES > 4) {
      v = v.add(v.rearrange(SWAP4));
    }
    if (LANES > 2) {
      v = v.add(v.rearrange(SWAP2));
    }
    if (LANES > 1) {
      v = v.add(v.rearrange(SWAP1));
    }
    return v.lane(0);
  }

  /** The stages between near lanes, 1 and 2 apart. */
  static FloatVector lower(FloatVector v) {
    if (LANES > 1) {
      v = v.fma(SIGN1, v.rearrange(SWAP1));
    }
    if (LANES > 2) {
      v = v.fma(SIGN2, v.rearrange(SWAP2));
    }
    return v;
  }

  /** The stages between far lanes, 4 and 8 apart. */
  static FloatVector upper(FloatVector v) {
    if (LANES > 4) {
      v = v.fma(SIGN4, v.rearrange(SWAP4));
    }
    if (LANES > 8) {
      v = v.fma(SIGN8, v.rearrange(SWAP8));
    }
    return v;
  }

  /** Each group of 2^stages neighbours, where that is at most a vector; {@code n} elements, a multiple of the group. */
  static void within(long in, long out, long n, int stages, float scale) {
    long vectors = n / LANES;
    long i = 0;
    for (; i != vectors * BYTES; i += BYTES) {
      var v = fromMemorySegment(S, ALL, in + i, ORDER).mul(scale);
      if (stages > 0) {
        v = v.fma(SIGN1, v.rearrange(SWAP1));
      }
      if (stages > 1) {
        v = v.fma(SIGN2, v.rearrange(SWAP2));
      }
      if (stages > 2) {
        v = v.fma(SIGN4, v.rearrange(SWAP4));
      }
      if (stages > 3) {
        v = v.fma(SIGN8, v.rearrange(SWAP8));
      }
      v.intoMemorySegment(ALL, out + i, ORDER);
    }
    for (; i < n * 4; i += (long) 4 << stages) {
      tail(in + i, out + i, 1 << stages, scale);
    }
  }

  /** One group of fewer elements than a vector holds. */
  private static void tail(long in, long out, int size, float scale) {
    for (int i = 0; i < size; i++) {
      RawMemory.putFloat(out + 4L * i, RawMemory.getFloat(in + 4L * i) * scale);
    }
    for (int half = 1; half < size; half *= 2) {
      for (int i = 0; i < size; i++) {
        if ((i & half) == 0) {
          butterfly(out + 4L * i, 4L * half, out + 4L * i);
        }
      }
    }
  }

  /** One pair of elements {@code half} bytes apart. */
  static void butterfly(long in, long half, long out) {
    float a = RawMemory.getFloat(in);
    float b = RawMemory.getFloat(in + half);
    RawMemory.putFloat(out, a + b);
    RawMemory.putFloat(out + half, a - b);
  }
}
