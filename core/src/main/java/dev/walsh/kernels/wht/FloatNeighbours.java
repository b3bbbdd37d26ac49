package dev.walsh.kernels.wht;

import jdk.incubator.vector.FloatVector;

import static dev.walsh.kernels.wht.FloatSylvester.BYTES;
import static dev.walsh.kernels.wht.FloatSylvester.LANES;
import static dev.walsh.kernels.wht.FloatSylvester.S;
import static dev.walsh.kernels.wht.FloatSylvester.SIGN1;
import static dev.walsh.kernels.wht.FloatSylvester.SIGN2;
import static dev.walsh.kernels.wht.FloatSylvester.SIGN4;
import static dev.walsh.kernels.wht.FloatSylvester.SIGN8;
import static dev.walsh.kernels.wht.FloatSylvester.SWAP1;
import static dev.walsh.kernels.wht.FloatSylvester.SWAP2;
import static dev.walsh.kernels.wht.FloatSylvester.SWAP4;
import static dev.walsh.kernels.wht.FloatSylvester.SWAP8;
import static dev.walsh.kernels.wht.FloatSylvester.lower;
import static dev.walsh.kernels.wht.RawMemory.ADDRESS;
import static dev.walsh.kernels.wht.RawMemory.ALL;
import static dev.walsh.kernels.wht.RawMemory.ORDER;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

/**
 * Vector kernels of Sylvester's matrix on float32 rows: a first pass over neighbours, 4 or 8 vectors in registers at a time.
 *
 * <p>Rows stream from memory here, and a CPU runs ahead of a load only while that load's address grows by one and the same step. So each
 * loop is one that the JIT compiler leaves as it is: it copies a loop that it can count into three, and streams at half the rate.
 */
final class FloatNeighbours {
  private FloatNeighbours() {}

  /** Blocks of 4 vectors: the stages between near lanes, then those between the 4. */
  static void lower4(long in, long out, long blocks, float scale) {
    long shift = out - in;
    for (long end = in + 4 * blocks * BYTES; in != end; in += 4 * BYTES) {
      long i = in & ADDRESS;
      long o = in + shift & ADDRESS;
      var v0 = lower(fromMemorySegment(S, ALL, i, ORDER).mul(scale));
      var v1 = lower(fromMemorySegment(S, ALL, i + BYTES, ORDER).mul(scale));
      var v2 = lower(fromMemorySegment(S, ALL, i + 2 * BYTES, ORDER).mul(scale));
      var v3 = lower(fromMemorySegment(S, ALL, i + 3 * BYTES, ORDER).mul(scale));
      FloatVector a0 = v0.add(v1), a1 = v0.sub(v1);
      FloatVector a2 = v2.add(v3), a3 = v2.sub(v3);
      a0.add(a2).intoMemorySegment(ALL, o, ORDER);
      a0.sub(a2).intoMemorySegment(ALL, o + 2 * BYTES, ORDER);
      a1.add(a3).intoMemorySegment(ALL, o + BYTES, ORDER);
      a1.sub(a3).intoMemorySegment(ALL, o + 3 * BYTES, ORDER);
    }
  }

  /** Blocks of 8 vectors: the stages between near lanes, then those between the 8. */
  static void lower8(long in, long out, long blocks, float scale) {
    long shift = out - in;
    for (long end = in + 8 * blocks * BYTES; in != end; in += 8 * BYTES) {
      long i = in & ADDRESS;
      long o = in + shift & ADDRESS;
      var v0 = lower(fromMemorySegment(S, ALL, i, ORDER).mul(scale));
      var v1 = lower(fromMemorySegment(S, ALL, i + BYTES, ORDER).mul(scale));
      var v2 = lower(fromMemorySegment(S, ALL, i + 2 * BYTES, ORDER).mul(scale));
      var v3 = lower(fromMemorySegment(S, ALL, i + 3 * BYTES, ORDER).mul(scale));
      var v4 = lower(fromMemorySegment(S, ALL, i + 4 * BYTES, ORDER).mul(scale));
      var v5 = lower(fromMemorySegment(S, ALL, i + 5 * BYTES, ORDER).mul(scale));
      var v6 = lower(fromMemorySegment(S, ALL, i + 6 * BYTES, ORDER).mul(scale));
      var v7 = lower(fromMemorySegment(S, ALL, i + 7 * BYTES, ORDER).mul(scale));
      FloatVector a0 = v0.add(v1), a1 = v0.sub(v1);
      FloatVector a2 = v2.add(v3), a3 = v2.sub(v3);
      FloatVector a4 = v4.add(v5), a5 = v4.sub(v5);
      FloatVector a6 = v6.add(v7), a7 = v6.sub(v7);
      FloatVector b0 = a0.add(a2), b2 = a0.sub(a2);
      FloatVector b1 = a1.add(a3), b3 = a1.sub(a3);
      FloatVector b4 = a4.add(a6), b6 = a4.sub(a6);
      FloatVector b5 = a5.add(a7), b7 = a5.sub(a7);
      b0.add(b4).intoMemorySegment(ALL, o, ORDER);
      b0.sub(b4).intoMemorySegment(ALL, o + 4 * BYTES, ORDER);
      b1.add(b5).intoMemorySegment(ALL, o + BYTES, ORDER);
      b1.sub(b5).intoMemorySegment(ALL, o + 5 * BYTES, ORDER);
      b2.add(b6).intoMemorySegment(ALL, o + 2 * BYTES, ORDER);
      b2.sub(b6).intoMemorySegment(ALL, o + 6 * BYTES, ORDER);
      b3.add(b7).intoMemorySegment(ALL, o + 3 * BYTES, ORDER);
      b3.sub(b7).intoMemorySegment(ALL, o + 7 * BYTES, ORDER);
    }
  }

  /** Blocks of 4 vectors: all stages inside the vectors, then those between the 4. */
  static void whole4(long in, long out, long blocks, float scale) {
    long shift = out - in;
    for (long end = in + 4 * blocks * BYTES; in != end; in += 4 * BYTES) {
      long i = in & ADDRESS;
      long o = in + shift & ADDRESS;
      var v0 = fromMemorySegment(S, ALL, i, ORDER).mul(scale);
      var v1 = fromMemorySegment(S, ALL, i + BYTES, ORDER).mul(scale);
      var v2 = fromMemorySegment(S, ALL, i + 2 * BYTES, ORDER).mul(scale);
      var v3 = fromMemorySegment(S, ALL, i + 3 * BYTES, ORDER).mul(scale);
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
      a0.add(a2).intoMemorySegment(ALL, o, ORDER);
      a0.sub(a2).intoMemorySegment(ALL, o + 2 * BYTES, ORDER);
      a1.add(a3).intoMemorySegment(ALL, o + BYTES, ORDER);
      a1.sub(a3).intoMemorySegment(ALL, o + 3 * BYTES, ORDER);
    }
  }

  /** Blocks of 8 vectors: all stages inside the vectors, then those between the 8. */
  static void whole8(long in, long out, long blocks, float scale) {
    long shift = out - in;
    for (long end = in + 8 * blocks * BYTES; in != end; in += 8 * BYTES) {
      long i = in & ADDRESS;
      long o = in + shift & ADDRESS;
      var v0 = fromMemorySegment(S, ALL, i, ORDER).mul(scale);
      var v1 = fromMemorySegment(S, ALL, i + BYTES, ORDER).mul(scale);
      var v2 = fromMemorySegment(S, ALL, i + 2 * BYTES, ORDER).mul(scale);
      var v3 = fromMemorySegment(S, ALL, i + 3 * BYTES, ORDER).mul(scale);
      var v4 = fromMemorySegment(S, ALL, i + 4 * BYTES, ORDER).mul(scale);
      var v5 = fromMemorySegment(S, ALL, i + 5 * BYTES, ORDER).mul(scale);
      var v6 = fromMemorySegment(S, ALL, i + 6 * BYTES, ORDER).mul(scale);
      var v7 = fromMemorySegment(S, ALL, i + 7 * BYTES, ORDER).mul(scale);
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
      if (LANES > 8) {
        v0 = v0.fma(SIGN8, v0.rearrange(SWAP8));
        v1 = v1.fma(SIGN8, v1.rearrange(SWAP8));
        v2 = v2.fma(SIGN8, v2.rearrange(SWAP8));
        v3 = v3.fma(SIGN8, v3.rearrange(SWAP8));
        v4 = v4.fma(SIGN8, v4.rearrange(SWAP8));
        v5 = v5.fma(SIGN8, v5.rearrange(SWAP8));
        v6 = v6.fma(SIGN8, v6.rearrange(SWAP8));
        v7 = v7.fma(SIGN8, v7.rearrange(SWAP8));
      }
      FloatVector a0 = v0.add(v1), a1 = v0.sub(v1);
      FloatVector a2 = v2.add(v3), a3 = v2.sub(v3);
      FloatVector a4 = v4.add(v5), a5 = v4.sub(v5);
      FloatVector a6 = v6.add(v7), a7 = v6.sub(v7);
      FloatVector b0 = a0.add(a2), b2 = a0.sub(a2);
      FloatVector b1 = a1.add(a3), b3 = a1.sub(a3);
      FloatVector b4 = a4.add(a6), b6 = a4.sub(a6);
      FloatVector b5 = a5.add(a7), b7 = a5.sub(a7);
      b0.add(b4).intoMemorySegment(ALL, o, ORDER);
      b0.sub(b4).intoMemorySegment(ALL, o + 4 * BYTES, ORDER);
      b1.add(b5).intoMemorySegment(ALL, o + BYTES, ORDER);
      b1.sub(b5).intoMemorySegment(ALL, o + 5 * BYTES, ORDER);
      b2.add(b6).intoMemorySegment(ALL, o + 2 * BYTES, ORDER);
      b2.sub(b6).intoMemorySegment(ALL, o + 6 * BYTES, ORDER);
      b3.add(b7).intoMemorySegment(ALL, o + 3 * BYTES, ORDER);
      b3.sub(b7).intoMemorySegment(ALL, o + 7 * BYTES, ORDER);
    }
  }
}
