package dev.walsh.kernels.wht;

import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

import static dev.walsh.kernels.wht.RawMemory.ALL;
import static dev.walsh.kernels.wht.RawMemory.ORDER;
import static jdk.incubator.vector.DoubleVector.fromMemorySegment;

/**
 * Vector kernels of Sylvester's matrix on float64 rows: the stages between neighbours, inside a vector and between the vectors of a block.
 *
 * <p>Inside a vector, the stage of half-length h is v ↦ v ⊙ sign_h + swap_h(v): one shuffle and one fused multiply-add, exact since the
 * signs are ±1. Between vectors a stage is an addition and a subtraction, and the vectors of a block go through all their stages in
 * registers. Kernels call no helper of their own in their loops: beyond some thousand nodes the JIT compiler stops inlining what is not
 * force-inlined, and every vector would then be boxed.
 */
final class DoubleSylvester {
  static final VectorSpecies<Double> S = longest();
  static final int LANES = S.length();
  static final int BYTES = S.vectorByteSize();

  private static final VectorShuffle<Double> SWAP1 = swap(1);
  private static final VectorShuffle<Double> SWAP2 = swap(2);
  private static final VectorShuffle<Double> SWAP4 = swap(4);
  private static final DoubleVector SIGN1 = sign(1);
  private static final DoubleVector SIGN2 = sign(2);
  private static final DoubleVector SIGN4 = sign(4);

  private DoubleSylvester() {}

  /** The vectors that this CPU prefers, but no longer than the stages inside a vector below provide for. */
  private static VectorSpecies<Double> longest() {
    var preferred = DoubleVector.SPECIES_PREFERRED;
    return preferred.vectorBitSize() > 512 ? DoubleVector.SPECIES_512 : preferred;
  }

  private static VectorShuffle<Double> swap(int half) {
    return VectorShuffle.fromOp(S, lane -> half < LANES ? lane ^ half : lane);
  }

  private static DoubleVector sign(int half) {
    var signs = new double[LANES];
    for (int lane = 0; lane < LANES; lane++) {
      signs[lane] = (lane & half) == 0 ? 1 : -1;
    }
    return DoubleVector.fromArray(S, signs, 0);
  }

  /** Each group of 2^stages neighbours, where that is at most a vector; {@code n} elements, a multiple of the group. */
  static void within(long in, long out, long n, int stages, double scale) {
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
      v.intoMemorySegment(ALL, out + i, ORDER);
    }
    for (; i < n * 8; i += (long) 8 << stages) {
      tail(in + i, out + i, 1 << stages, scale);
    }
  }

  /** One group of fewer elements than a vector holds. */
  private static void tail(long in, long out, int size, double scale) {
    for (int i = 0; i < size; i++) {
      RawMemory.putDouble(out + 8L * i, RawMemory.getDouble(in + 8L * i) * scale);
    }
    for (int half = 1; half < size; half *= 2) {
      for (int i = 0; i < size; i++) {
        if ((i & half) == 0) {
          butterfly(out + 8L * i, 8L * half, out + 8L * i);
        }
      }
    }
  }

  /** One pair of elements {@code half} bytes apart. */
  static void butterfly(long in, long half, long out) {
    double a = RawMemory.getDouble(in);
    double b = RawMemory.getDouble(in + half);
    RawMemory.putDouble(out, a + b);
    RawMemory.putDouble(out + half, a - b);
  }

  /** Blocks of 8 vectors: all stages inside the vectors, then those between the 8. */
  static void contiguous8(long in, long out, long blocks, double scale) {
    for (long block = 0; block < blocks; block++, in += 8 * BYTES, out += 8 * BYTES) {
      var v0 = fromMemorySegment(S, ALL, in, ORDER).mul(scale);
      var v1 = fromMemorySegment(S, ALL, in + BYTES, ORDER).mul(scale);
      var v2 = fromMemorySegment(S, ALL, in + 2 * BYTES, ORDER).mul(scale);
      var v3 = fromMemorySegment(S, ALL, in + 3 * BYTES, ORDER).mul(scale);
      var v4 = fromMemorySegment(S, ALL, in + 4 * BYTES, ORDER).mul(scale);
      var v5 = fromMemorySegment(S, ALL, in + 5 * BYTES, ORDER).mul(scale);
      var v6 = fromMemorySegment(S, ALL, in + 6 * BYTES, ORDER).mul(scale);
      var v7 = fromMemorySegment(S, ALL, in + 7 * BYTES, ORDER).mul(scale);
      if (LANES > 1) {
        v0 = v0.fma(SIGN1, v0.rearrange(SWAP1));
        v1 = v1.fma(SIGN1, v1.rearrange(SWAP1));
        v2 = v2.fma(SIGN1, v2.rearrange(SWAP1));
        v3 = v3.fma(SIGN1, v3.rearrange(SWAP1));
        v4 = v4.fma(SIGN1, v4.rearrange(SWAP1));
        v5 = v5.fma(SIGN1, v5.rearrange(SWAP1));
        v6 = v6.fma(SIGN1, v6.rearrange(SWAP1));
        v7 = v7.fma(SIGN1, v7.rearrange(SWAP1));
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
      }
      DoubleVector a0 = v0.add(v1), a1 = v0.sub(v1);
      DoubleVector a2 = v2.add(v3), a3 = v2.sub(v3);
      DoubleVector a4 = v4.add(v5), a5 = v4.sub(v5);
      DoubleVector a6 = v6.add(v7), a7 = v6.sub(v7);
      DoubleVector b0 = a0.add(a2), b2 = a0.sub(a2);
      DoubleVector b1 = a1.add(a3), b3 = a1.sub(a3);
      DoubleVector b4 = a4.add(a6), b6 = a4.sub(a6);
      DoubleVector b5 = a5.add(a7), b7 = a5.sub(a7);
      b0.add(b4).intoMemorySegment(ALL, out, ORDER);
      b0.sub(b4).intoMemorySegment(ALL, out + 4 * BYTES, ORDER);
      b1.add(b5).intoMemorySegment(ALL, out + BYTES, ORDER);
      b1.sub(b5).intoMemorySegment(ALL, out + 5 * BYTES, ORDER);
      b2.add(b6).intoMemorySegment(ALL, out + 2 * BYTES, ORDER);
      b2.sub(b6).intoMemorySegment(ALL, out + 6 * BYTES, ORDER);
      b3.add(b7).intoMemorySegment(ALL, out + 3 * BYTES, ORDER);
      b3.sub(b7).intoMemorySegment(ALL, out + 7 * BYTES, ORDER);
    }
  }
}
