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

  private static final VectorShuffle<Float> SWAP1 = swap(1);
  private static final VectorShuffle<Float> SWAP2 = swap(2);
  private static final VectorShuffle<Float> SWAP4 = swap(4);
  private static final VectorShuffle<Float> SWAP8 = swap(8);
  private static final FloatVector SIGN1 = sign(1);
  private static final FloatVector SIGN2 = sign(2);
  private static final FloatVector SIGN4 = sign(4);
  private static final FloatVector SIGN8 = sign(8);

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

  /** Each group of 2^stages neighbours, where that is at most a vector; {@code n} elements, a multiple of the group. */
  static void within(long in, long out, long n, int stages, float scale) {
    long vectors = n / LANES;
    long i = 0;
    for (; i < vectors * BYTES; i += BYTES) {
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

  /** Blocks of 16 vectors: all stages inside the vectors, then those between the 16. */
  static void contiguous16(long in, long out, long blocks, float scale) {
    for (long block = 0; block < blocks; block++, in += 16 * BYTES, out += 16 * BYTES) {
      var v0 = fromMemorySegment(S, ALL, in, ORDER).mul(scale);
      var v1 = fromMemorySegment(S, ALL, in + BYTES, ORDER).mul(scale);
      var v2 = fromMemorySegment(S, ALL, in + 2 * BYTES, ORDER).mul(scale);
      var v3 = fromMemorySegment(S, ALL, in + 3 * BYTES, ORDER).mul(scale);
      var v4 = fromMemorySegment(S, ALL, in + 4 * BYTES, ORDER).mul(scale);
      var v5 = fromMemorySegment(S, ALL, in + 5 * BYTES, ORDER).mul(scale);
      var v6 = fromMemorySegment(S, ALL, in + 6 * BYTES, ORDER).mul(scale);
      var v7 = fromMemorySegment(S, ALL, in + 7 * BYTES, ORDER).mul(scale);
      var v8 = fromMemorySegment(S, ALL, in + 8 * BYTES, ORDER).mul(scale);
      var v9 = fromMemorySegment(S, ALL, in + 9 * BYTES, ORDER).mul(scale);
      var v10 = fromMemorySegment(S, ALL, in + 10 * BYTES, ORDER).mul(scale);
      var v11 = fromMemorySegment(S, ALL, in + 11 * BYTES, ORDER).mul(scale);
      var v12 = fromMemorySegment(S, ALL, in + 12 * BYTES, ORDER).mul(scale);
      var v13 = fromMemorySegment(S, ALL, in + 13 * BYTES, ORDER).mul(scale);
      var v14 = fromMemorySegment(S, ALL, in + 14 * BYTES, ORDER).mul(scale);
      var v15 = fromMemorySegment(S, ALL, in + 15 * BYTES, ORDER).mul(scale);
      if (LANES > 1) {
        v0 = v0.fma(SIGN1, v0.rearrange(SWAP1));
        v1 = v1.fma(SIGN1, v1.rearrange(SWAP1));
        v2 = v2.fma(SIGN1, v2.rearrange(SWAP1));
        v3 = v3.fma(SIGN1, v3.rearrange(SWAP1));
        v4 = v4.fma(SIGN1, v4.rearrange(SWAP1));
        v5 = v5.fma(SIGN1, v5.rearrange(SWAP1));
        v6 = v6.fma(SIGN1, v6.rearrange(SWAP1));
        v7 = v7.fma(SIGN1, v7.rearrange(SWAP1));
        v8 = v8.fma(SIGN1, v8.rearrange(SWAP1));
        v9 = v9.fma(SIGN1, v9.rearrange(SWAP1));
        v10 = v10.fma(SIGN1, v10.rearrange(SWAP1));
        v11 = v11.fma(SIGN1, v11.rearrange(SWAP1));
        v12 = v12.fma(SIGN1, v12.rearrange(SWAP1));
        v13 = v13.fma(SIGN1, v13.rearrange(SWAP1));
        v14 = v14.fma(SIGN1, v14.rearrange(SWAP1));
        v15 = v15.fma(SIGN1, v15.rearrange(SWAP1));
      }
      if (LANES > 2) {
        v0 = v0.fma(SIGN2, v0.rearrange(SWAP2));
        v1 = v1.fma(SIGN2, v1.rearrange(SWAP2));
        v2 = v2.fma(SIGN2, v2.rearrange(SWAP2));
        v3 = v3.fma(SIGN2, v3.rearrange(SWAP2));
        v4 = v4.fma(SIGN2, v4.rearrange(SWAP2));
        v5 = v5.fma(SIGN2, v5.rearrange(SWAP2));
        v6 = v6.fma(SIGN2, v6.rearrange(SWAP2));
        v7 = v7.fma(SIGN2, v7.rearrange(SWAP2));
        v8 = v8.fma(SIGN2, v8.rearrange(SWAP2));
        v9 = v9.fma(SIGN2, v9.rearrange(SWAP2));
        v10 = v10.fma(SIGN2, v10.rearrange(SWAP2));
        v11 = v11.fma(SIGN2, v11.rearrange(SWAP2));
        v12 = v12.fma(SIGN2, v12.rearrange(SWAP2));
        v13 = v13.fma(SIGN2, v13.rearrange(SWAP2));
        v14 = v14.fma(SIGN2, v14.rearrange(SWAP2));
        v15 = v15.fma(SIGN2, v15.rearrange(SWAP2));
      }
      if (LANES > 4) {
        v0 = v0.fma(SIGN4, v0.rearrange(SWAP4));
        v1 = v1.fma(SIGN4, v1.rearrange(SWAP4));
        v2 = v2.fma(SIGN4, v2.rearrange(SWAP4));
        v3 = v3.fma(SIGN4, v3.rearrange(SWAP4));
        v4 = v4.fma(SIGN4, v4.rearrange(SWAP4));
        v5 = v5.fma(SIGN4, v5.rearrange(SWAP4));
        v6 = v6.fma(SIGN4, v6.rearrange(SWAP4));
        v7 = v7.fma(SIGN4, v7.rearrange(SWAP4));
        v8 = v8.fma(SIGN4, v8.rearrange(SWAP4));
        v9 = v9.fma(SIGN4, v9.rearrange(SWAP4));
        v10 = v10.fma(SIGN4, v10.rearrange(SWAP4));
        v11 = v11.fma(SIGN4, v11.rearrange(SWAP4));
        v12 = v12.fma(SIGN4, v12.rearrange(SWAP4));
        v13 = v13.fma(SIGN4, v13.rearrange(SWAP4));
        v14 = v14.fma(SIGN4, v14.rearrange(SWAP4));
        v15 = v15.fma(SIGN4, v15.rearrange(SWAP4));
      }
      if (LANES > 8) {
        v0 = v0.fma(SIGN8, v0.rearrange(SWAP8));
        v1 = v1.fma(SIGN8, v1.rearrange(SWAP8));
        v2 = v2.fma(SIGN8, v2.rearrange(SWAP8));
        v3 = v3.fma(SIGN8, v3.rearrange(SWAP8));
        v4 = v4.fma(SIGN8, v4.rearrange(SWAP8));
        v5 = v5.fma(SIGN8, v5.rearrange(SWAP8));
        v6 = v6.fma(SIGN8, v6.rearrange(SWAP8));
        v7 = v7.fma(SIGN8, v7.rearrange(SWAP8));
        v8 = v8.fma(SIGN8, v8.rearrange(SWAP8));
        v9 = v9.fma(SIGN8, v9.rearrange(SWAP8));
        v10 = v10.fma(SIGN8, v10.rearrange(SWAP8));
        v11 = v11.fma(SIGN8, v11.rearrange(SWAP8));
        v12 = v12.fma(SIGN8, v12.rearrange(SWAP8));
        v13 = v13.fma(SIGN8, v13.rearrange(SWAP8));
        v14 = v14.fma(SIGN8, v14.rearrange(SWAP8));
        v15 = v15.fma(SIGN8, v15.rearrange(SWAP8));
      }
      FloatVector a0 = v0.add(v1), a1 = v0.sub(v1);
      FloatVector a2 = v2.add(v3), a3 = v2.sub(v3);
      FloatVector a4 = v4.add(v5), a5 = v4.sub(v5);
      FloatVector a6 = v6.add(v7), a7 = v6.sub(v7);
      FloatVector a8 = v8.add(v9), a9 = v8.sub(v9);
      FloatVector a10 = v10.add(v11), a11 = v10.sub(v11);
      FloatVector a12 = v12.add(v13), a13 = v12.sub(v13);
      FloatVector a14 = v14.add(v15), a15 = v14.sub(v15);
      FloatVector b0 = a0.add(a2), b2 = a0.sub(a2);
      FloatVector b1 = a1.add(a3), b3 = a1.sub(a3);
      FloatVector b4 = a4.add(a6), b6 = a4.sub(a6);
      FloatVector b5 = a5.add(a7), b7 = a5.sub(a7);
      FloatVector b8 = a8.add(a10), b10 = a8.sub(a10);
      FloatVector b9 = a9.add(a11), b11 = a9.sub(a11);
      FloatVector b12 = a12.add(a14), b14 = a12.sub(a14);
      FloatVector b13 = a13.add(a15), b15 = a13.sub(a15);
      FloatVector c0 = b0.add(b4), c4 = b0.sub(b4);
      FloatVector c1 = b1.add(b5), c5 = b1.sub(b5);
      FloatVector c2 = b2.add(b6), c6 = b2.sub(b6);
      FloatVector c3 = b3.add(b7), c7 = b3.sub(b7);
      FloatVector c8 = b8.add(b12), c12 = b8.sub(b12);
      FloatVector c9 = b9.add(b13), c13 = b9.sub(b13);
      FloatVector c10 = b10.add(b14), c14 = b10.sub(b14);
      FloatVector c11 = b11.add(b15), c15 = b11.sub(b15);
      c0.add(c8).intoMemorySegment(ALL, out, ORDER);
      c0.sub(c8).intoMemorySegment(ALL, out + 8 * BYTES, ORDER);
      c1.add(c9).intoMemorySegment(ALL, out + BYTES, ORDER);
      c1.sub(c9).intoMemorySegment(ALL, out + 9 * BYTES, ORDER);
      c2.add(c10).intoMemorySegment(ALL, out + 2 * BYTES, ORDER);
      c2.sub(c10).intoMemorySegment(ALL, out + 10 * BYTES, ORDER);
      c3.add(c11).intoMemorySegment(ALL, out + 3 * BYTES, ORDER);
      c3.sub(c11).intoMemorySegment(ALL, out + 11 * BYTES, ORDER);
      c4.add(c12).intoMemorySegment(ALL, out + 4 * BYTES, ORDER);
      c4.sub(c12).intoMemorySegment(ALL, out + 12 * BYTES, ORDER);
      c5.add(c13).intoMemorySegment(ALL, out + 5 * BYTES, ORDER);
      c5.sub(c13).intoMemorySegment(ALL, out + 13 * BYTES, ORDER);
      c6.add(c14).intoMemorySegment(ALL, out + 6 * BYTES, ORDER);
      c6.sub(c14).intoMemorySegment(ALL, out + 14 * BYTES, ORDER);
      c7.add(c15).intoMemorySegment(ALL, out + 7 * BYTES, ORDER);
      c7.sub(c15).intoMemorySegment(ALL, out + 15 * BYTES, ORDER);
    }
  }

  /** Blocks of 4 vectors: all stages inside the vectors, then those between the 4. */
  static void contiguous4(long in, long out, long blocks, float scale) {
    for (long block = 0; block < blocks; block++, in += 4 * BYTES, out += 4 * BYTES) {
      var v0 = fromMemorySegment(S, ALL, in, ORDER).mul(scale);
      var v1 = fromMemorySegment(S, ALL, in + BYTES, ORDER).mul(scale);
      var v2 = fromMemorySegment(S, ALL, in + 2 * BYTES, ORDER).mul(scale);
      var v3 = fromMemorySegment(S, ALL, in + 3 * BYTES, ORDER).mul(scale);
      if (LANES > 1) {
        v0 = v0.fma(SIGN1, v0.rearrange(SWAP1));
        v1 = v1.fma(SIGN1, v1.rearrange(SWAP1));
        v2 = v2.fma(SIGN1, v2.rearrange(SWAP1));
        v3 = v3.fma(SIGN1, v3.rearrange(SWAP1));
      }
      if (LANES > 2) {
        v0 = v0.fma(SIGN2, v0.rearrange(SWAP2));
        v1 = v1.fma(SIGN2, v1.rearrange(SWAP2));
        v2 = v2.fma(SIGN2, v2.rearrange(SWAP2));
        v3 = v3.fma(SIGN2, v3.rearrange(SWAP2));
      }
      if (LANES > 4) {
        v0 = v0.fma(SIGN4, v0.rearrange(SWAP4));
        v1 = v1.fma(SIGN4, v1.rearrange(SWAP4));
        v2 = v2.fma(SIGN4, v2.rearrange(SWAP4));
        v3 = v3.fma(SIGN4, v3.rearrange(SWAP4));
      }
      if (LANES > 8) {
        v0 = v0.fma(SIGN8, v0.rearrange(SWAP8));
        v1 = v1.fma(SIGN8, v1.rearrange(SWAP8));
        v2 = v2.fma(SIGN8, v2.rearrange(SWAP8));
        v3 = v3.fma(SIGN8, v3.rearrange(SWAP8));
      }
      FloatVector a0 = v0.add(v1), a1 = v0.sub(v1);
      FloatVector a2 = v2.add(v3), a3 = v2.sub(v3);
      a0.add(a2).intoMemorySegment(ALL, out, ORDER);
      a0.sub(a2).intoMemorySegment(ALL, out + 2 * BYTES, ORDER);
      a1.add(a3).intoMemorySegment(ALL, out + BYTES, ORDER);
      a1.sub(a3).intoMemorySegment(ALL, out + 3 * BYTES, ORDER);
    }
  }
}
