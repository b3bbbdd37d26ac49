package dev.walsh.kernels.wht;

import jdk.incubator.vector.FloatVector;

import static dev.walsh.kernels.wht.FloatSylvester.BYTES;
import static dev.walsh.kernels.wht.FloatSylvester.LANES;
import static dev.walsh.kernels.wht.FloatSylvester.S;
import static dev.walsh.kernels.wht.FloatSylvester.SIGN4;
import static dev.walsh.kernels.wht.FloatSylvester.SIGN8;
import static dev.walsh.kernels.wht.FloatSylvester.SWAP4;
import static dev.walsh.kernels.wht.FloatSylvester.SWAP8;
import static dev.walsh.kernels.wht.FloatSylvester.upper;
import static dev.walsh.kernels.wht.RawMemory.ADDRESS;
import static dev.walsh.kernels.wht.RawMemory.ALL;
import static dev.walsh.kernels.wht.RawMemory.ORDER;
import static dev.walsh.kernels.wht.RawMemory.STRIDE;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

/**
 * Vector kernels of Sylvester's matrix on float32 rows: the stages between elements that lie a stride apart, 2, 4, 8 or 16 vectors in
 * registers at a time, so that a row is read and written once for up to four stages; with {@code upper}, those between the far lanes of
 * each vector besides.
 */
final class FloatStrides {
  private FloatStrides() {}

  /** 1 stage between elements {@code stride} bytes apart, a multiple of a vector; blocks of 2 strides. */
  static void radix2(long in, long out, long blocks, long stride, boolean upper) {
    long step = stride & STRIDE;
    long shift = out - in;
    long column = in + stride;
    for (long end = in + 2 * blocks * stride; in != end;) {
      long i = in & ADDRESS;
      long o = in + shift & ADDRESS;
      var v0 = fromMemorySegment(S, ALL, i, ORDER);
      var v1 = fromMemorySegment(S, ALL, i + step, ORDER);
      if (upper) {
        v0 = upper(v0);
        v1 = upper(v1);
      }
      v0.add(v1).intoMemorySegment(ALL, o, ORDER);
      v0.sub(v1).intoMemorySegment(ALL, o + step, ORDER);
      in += BYTES;
      if (in == column) {
        in += stride;
        column = in + stride;
      }
    }
  }

  /** 2 stages between elements {@code stride} bytes apart, a multiple of a vector; blocks of 4 strides. */
  static void radix4(long in, long out, long blocks, long stride, boolean upper) {
    long step = stride & STRIDE;
    long shift = out - in;
    long column = in + stride;
    for (long end = in + 4 * blocks * stride; in != end;) {
      long i = in & ADDRESS;
      long o = in + shift & ADDRESS;
      var v0 = fromMemorySegment(S, ALL, i, ORDER);
      var v1 = fromMemorySegment(S, ALL, i + step, ORDER);
      var v2 = fromMemorySegment(S, ALL, i + 2 * step, ORDER);
      var v3 = fromMemorySegment(S, ALL, i + 3 * step, ORDER);
      if (upper) {
        v0 = upper(v0);
        v1 = upper(v1);
        v2 = upper(v2);
        v3 = upper(v3);
      }
      FloatVector a0 = v0.add(v1), a1 = v0.sub(v1);
      FloatVector a2 = v2.add(v3), a3 = v2.sub(v3);
      a0.add(a2).intoMemorySegment(ALL, o, ORDER);
      a0.sub(a2).intoMemorySegment(ALL, o + 2 * step, ORDER);
      a1.add(a3).intoMemorySegment(ALL, o + step, ORDER);
      a1.sub(a3).intoMemorySegment(ALL, o + 3 * step, ORDER);
      in += BYTES;
      if (in == column) {
        in += 3 * stride;
        column = in + stride;
      }
    }
  }

  /** 3 stages between elements {@code stride} bytes apart, a multiple of a vector; blocks of 8 strides. */
  static void radix8(long in, long out, long blocks, long stride, boolean upper) {
    long step = stride & STRIDE;
    long shift = out - in;
    long column = in + stride;
    for (long end = in + 8 * blocks * stride; in != end;) {
      long i = in & ADDRESS;
      long o = in + shift & ADDRESS;
      long i4 = i + 4 * step & ADDRESS;
      long o4 = o + 4 * step & ADDRESS;
      var v0 = fromMemorySegment(S, ALL, i, ORDER);
      var v1 = fromMemorySegment(S, ALL, i + step, ORDER);
      var v2 = fromMemorySegment(S, ALL, i + 2 * step, ORDER);
      var v3 = fromMemorySegment(S, ALL, i + 3 * step, ORDER);
      var v4 = fromMemorySegment(S, ALL, i4, ORDER);
      var v5 = fromMemorySegment(S, ALL, i4 + step, ORDER);
      var v6 = fromMemorySegment(S, ALL, i4 + 2 * step, ORDER);
      var v7 = fromMemorySegment(S, ALL, i4 + 3 * step, ORDER);
      if (upper) {
        v0 = upper(v0);
        v1 = upper(v1);
        v2 = upper(v2);
        v3 = upper(v3);
        v4 = upper(v4);
        v5 = upper(v5);
        v6 = upper(v6);
        v7 = upper(v7);
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
      b0.sub(b4).intoMemorySegment(ALL, o4, ORDER);
      b1.add(b5).intoMemorySegment(ALL, o + step, ORDER);
      b1.sub(b5).intoMemorySegment(ALL, o4 + step, ORDER);
      b2.add(b6).intoMemorySegment(ALL, o + 2 * step, ORDER);
      b2.sub(b6).intoMemorySegment(ALL, o4 + 2 * step, ORDER);
      b3.add(b7).intoMemorySegment(ALL, o + 3 * step, ORDER);
      b3.sub(b7).intoMemorySegment(ALL, o4 + 3 * step, ORDER);
      in += BYTES;
      if (in == column) {
        in += 7 * stride;
        column = in + stride;
      }
    }
  }

  /** 4 stages between elements {@code stride} bytes apart, a multiple of a vector; blocks of 16 strides. */
  static void radix16(long in, long out, long blocks, long stride, boolean upper) {
    long step = stride & STRIDE;
    long shift = out - in;
    long column = in + stride;
    for (long end = in + 16 * blocks * stride; in != end;) {
      long i = in & ADDRESS;
      long o = in + shift & ADDRESS;
      long i4 = i + 4 * step & ADDRESS;
      long o4 = o + 4 * step & ADDRESS;
      long i8 = i4 + 4 * step & ADDRESS;
      long o8 = o4 + 4 * step & ADDRESS;
      long i12 = i8 + 4 * step & ADDRESS;
      long o12 = o8 + 4 * step & ADDRESS;
      var v0 = fromMemorySegment(S, ALL, i, ORDER);
      var v1 = fromMemorySegment(S, ALL, i + step, ORDER);
      var v2 = fromMemorySegment(S, ALL, i + 2 * step, ORDER);
      var v3 = fromMemorySegment(S, ALL, i + 3 * step, ORDER);
      var v4 = fromMemorySegment(S, ALL, i4, ORDER);
      var v5 = fromMemorySegment(S, ALL, i4 + step, ORDER);
      var v6 = fromMemorySegment(S, ALL, i4 + 2 * step, ORDER);
      var v7 = fromMemorySegment(S, ALL, i4 + 3 * step, ORDER);
      var v8 = fromMemorySegment(S, ALL, i8, ORDER);
      var v9 = fromMemorySegment(S, ALL, i8 + step, ORDER);
      var v10 = fromMemorySegment(S, ALL, i8 + 2 * step, ORDER);
      var v11 = fromMemorySegment(S, ALL, i8 + 3 * step, ORDER);
      var v12 = fromMemorySegment(S, ALL, i12, ORDER);
      var v13 = fromMemorySegment(S, ALL, i12 + step, ORDER);
      var v14 = fromMemorySegment(S, ALL, i12 + 2 * step, ORDER);
      var v15 = fromMemorySegment(S, ALL, i12 + 3 * step, ORDER);
      if (upper && LANES > 4) {
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
      if (upper && LANES > 8) {
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
      c0.add(c8).intoMemorySegment(ALL, o, ORDER);
      c0.sub(c8).intoMemorySegment(ALL, o8, ORDER);
      c1.add(c9).intoMemorySegment(ALL, o + step, ORDER);
      c1.sub(c9).intoMemorySegment(ALL, o8 + step, ORDER);
      c2.add(c10).intoMemorySegment(ALL, o + 2 * step, ORDER);
      c2.sub(c10).intoMemorySegment(ALL, o8 + 2 * step, ORDER);
      c3.add(c11).intoMemorySegment(ALL, o + 3 * step, ORDER);
      c3.sub(c11).intoMemorySegment(ALL, o8 + 3 * step, ORDER);
      c4.add(c12).intoMemorySegment(ALL, o4, ORDER);
      c4.sub(c12).intoMemorySegment(ALL, o12, ORDER);
      c5.add(c13).intoMemorySegment(ALL, o4 + step, ORDER);
      c5.sub(c13).intoMemorySegment(ALL, o12 + step, ORDER);
      c6.add(c14).intoMemorySegment(ALL, o4 + 2 * step, ORDER);
      c6.sub(c14).intoMemorySegment(ALL, o12 + 2 * step, ORDER);
      c7.add(c15).intoMemorySegment(ALL, o4 + 3 * step, ORDER);
      c7.sub(c15).intoMemorySegment(ALL, o12 + 3 * step, ORDER);
      in += BYTES;
      if (in == column) {
        in += 15 * stride;
        column = in + stride;
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
      for (; j < stride; j += 4) {
        FloatSylvester.butterfly(in + j, stride, out + j);
      }
    }
  }
}
