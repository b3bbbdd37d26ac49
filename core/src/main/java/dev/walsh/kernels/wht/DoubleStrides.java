package dev.walsh.kernels.wht;

import jdk.incubator.vector.DoubleVector;

import static dev.walsh.kernels.wht.DoubleSylvester.BYTES;
import static dev.walsh.kernels.wht.DoubleSylvester.S;
import static dev.walsh.kernels.wht.RawMemory.ALL;
import static dev.walsh.kernels.wht.RawMemory.ORDER;
import static jdk.incubator.vector.DoubleVector.fromMemorySegment;

/**
 * Vector kernels of Sylvester's matrix on float64 rows: the stages between elements that lie a stride apart, 2, 4 or 8 vectors in registers
 * at a time, so that a row is read and written once for up to three stages.
 */
final class DoubleStrides {
  private DoubleStrides() {}

  /** 1 stage between elements {@code stride} bytes apart, a multiple of a vector; blocks of 2 strides. */
  static void radix2(long in, long out, long blocks, long stride) {
    for (long block = 0; block < blocks; block++, in += 2 * stride, out += 2 * stride) {
      for (long j = 0; j < stride; j += BYTES) {
        long i = in + j;
        long o = out + j;
        var v0 = fromMemorySegment(S, ALL, i, ORDER);
        var v1 = fromMemorySegment(S, ALL, i + stride, ORDER);
        v0.add(v1).intoMemorySegment(ALL, o, ORDER);
        v0.sub(v1).intoMemorySegment(ALL, o + stride, ORDER);
      }
    }
  }

  /** 2 stages between elements {@code stride} bytes apart, a multiple of a vector; blocks of 4 strides. */
  static void radix4(long in, long out, long blocks, long stride) {
    for (long block = 0; block < blocks; block++, in += 4 * stride, out += 4 * stride) {
      for (long j = 0; j < stride; j += BYTES) {
        long i = in + j;
        long o = out + j;
        var v0 = fromMemorySegment(S, ALL, i, ORDER);
        var v1 = fromMemorySegment(S, ALL, i + stride, ORDER);
        var v2 = fromMemorySegment(S, ALL, i + 2 * stride, ORDER);
        var v3 = fromMemorySegment(S, ALL, i + 3 * stride, ORDER);
        DoubleVector a0 = v0.add(v1), a1 = v0.sub(v1);
        DoubleVector a2 = v2.add(v3), a3 = v2.sub(v3);
        a0.add(a2).intoMemorySegment(ALL, o, ORDER);
        a0.sub(a2).intoMemorySegment(ALL, o + 2 * stride, ORDER);
        a1.add(a3).intoMemorySegment(ALL, o + stride, ORDER);
        a1.sub(a3).intoMemorySegment(ALL, o + 3 * stride, ORDER);
      }
    }
  }

  /** 3 stages between elements {@code stride} bytes apart, a multiple of a vector; blocks of 8 strides. */
  static void radix8(long in, long out, long blocks, long stride) {
    for (long block = 0; block < blocks; block++, in += 8 * stride, out += 8 * stride) {
      for (long j = 0; j < stride; j += BYTES) {
        long i = in + j;
        long o = out + j;
        var v0 = fromMemorySegment(S, ALL, i, ORDER);
        var v1 = fromMemorySegment(S, ALL, i + stride, ORDER);
        var v2 = fromMemorySegment(S, ALL, i + 2 * stride, ORDER);
        var v3 = fromMemorySegment(S, ALL, i + 3 * stride, ORDER);
        var v4 = fromMemorySegment(S, ALL, i + 4 * stride, ORDER);
        var v5 = fromMemorySegment(S, ALL, i + 5 * stride, ORDER);
        var v6 = fromMemorySegment(S, ALL, i + 6 * stride, ORDER);
        var v7 = fromMemorySegment(S, ALL, i + 7 * stride, ORDER);
        DoubleVector a0 = v0.add(v1), a1 = v0.sub(v1);
        DoubleVector a2 = v2.add(v3), a3 = v2.sub(v3);
        DoubleVector a4 = v4.add(v5), a5 = v4.sub(v5);
        DoubleVector a6 = v6.add(v7), a7 = v6.sub(v7);
        DoubleVector b0 = a0.add(a2), b2 = a0.sub(a2);
        DoubleVector b1 = a1.add(a3), b3 = a1.sub(a3);
        DoubleVector b4 = a4.add(a6), b6 = a4.sub(a6);
        DoubleVector b5 = a5.add(a7), b7 = a5.sub(a7);
        b0.add(b4).intoMemorySegment(ALL, o, ORDER);
        b0.sub(b4).intoMemorySegment(ALL, o + 4 * stride, ORDER);
        b1.add(b5).intoMemorySegment(ALL, o + stride, ORDER);
        b1.sub(b5).intoMemorySegment(ALL, o + 5 * stride, ORDER);
        b2.add(b6).intoMemorySegment(ALL, o + 2 * stride, ORDER);
        b2.sub(b6).intoMemorySegment(ALL, o + 6 * stride, ORDER);
        b3.add(b7).intoMemorySegment(ALL, o + 3 * stride, ORDER);
        b3.sub(b7).intoMemorySegment(ALL, o + 7 * stride, ORDER);
      }
    }
  }

  /** One stage between elements {@code stride} bytes apart, any stride; blocks of 2 strides. */
  static void radix2Unaligned(long in, long out, long blocks, long stride) {
    for (long block = 0; block < blocks; block++, in += 2 * stride, out += 2 * stride) {
      long j = 0;
      for (; j <= stride - BYTES; j += BYTES) {
        var a = fromMemorySegment(S, ALL, in + j, ORDER);
        var b = fromMemorySegment(S, ALL, in + j + stride, ORDER);
        a.add(b).intoMemorySegment(ALL, out + j, ORDER);
        a.sub(b).intoMemorySegment(ALL, out + j + stride, ORDER);
      }
      for (; j < stride; j += 8) {
        DoubleSylvester.butterfly(in + j, stride, out + j);
      }
    }
  }
}
