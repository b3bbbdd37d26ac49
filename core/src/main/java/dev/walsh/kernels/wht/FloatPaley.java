package dev.walsh.kernels.wht;

import jdk.incubator.vector.FloatVector;

import static dev.walsh.kernels.wht.FloatSylvester.BYTES;
import static dev.walsh.kernels.wht.FloatSylvester.LANES;
import static dev.walsh.kernels.wht.FloatSylvester.S;
import static dev.walsh.kernels.wht.FloatSylvester.SIGN4;
import static dev.walsh.kernels.wht.FloatSylvester.SIGN8;
import static dev.walsh.kernels.wht.FloatSylvester.SWAP4;
import static dev.walsh.kernels.wht.FloatSylvester.SWAP8;
import static dev.walsh.kernels.wht.RawMemory.ADDRESS;
import static dev.walsh.kernels.wht.RawMemory.ALL;
import static dev.walsh.kernels.wht.RawMemory.ORDER;
import static dev.walsh.kernels.wht.RawMemory.STRIDE;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

/**
 * The Paley cores of orders 12 and 20 on float32, those of the usual model widths, as straight-line code.
 *
 * <p>The method is that of {@link FloatCore}: of each four inputs the eight sums with leading sign + (the digit's bits are the signs of
 * the other three), then one sum of each group an output; 5 and 7 additions an element.
 */
final class FloatPaley {
  private FloatPaley() {}

  /**
   * The core of order 12: blocks of 12 elements {@code stride} bytes apart, a multiple of a vector; with {@code upper}, the Sylvester
   * stages between far lanes of each vector come first.
   *
   * <p>Transposed, it is the same matrix with element 0 negated and the others in reverse, before and after: chi(i − j) = −chi(j − i).
   */
  static void core12(long in, long out, long blocks, long stride, boolean transposed, boolean upper, float scale) {
    long step = stride & STRIDE;
    long p1 = (transposed ? 11 : 1) * step;
    long p2 = (transposed ? 10 : 2) * step;
    long p3 = (transposed ? 9 : 3) * step;
    long p4 = (transposed ? 8 : 4) * step;
    long p5 = (transposed ? 7 : 5) * step;
    long p6 = 6 * step;
    long p7 = (transposed ? 5 : 7) * step;
    long p8 = (transposed ? 4 : 8) * step;
    long p9 = (transposed ? 3 : 9) * step;
    long p10 = (transposed ? 2 : 10) * step;
    long p11 = (transposed ? 1 : 11) * step;
    float sign = transposed ? -1 : 1;
    long shift = out - in;
    long column = in + stride;
    for (long end = in + 12 * blocks * stride; in != end;) {
      long i = in & ADDRESS;
      long o = in + shift & ADDRESS;
      var v0 = fromMemorySegment(S, ALL, i, ORDER).mul(sign * scale);
      var v1 = fromMemorySegment(S, ALL, i + p1, ORDER).mul(scale);
      var v2 = fromMemorySegment(S, ALL, i + p2, ORDER).mul(scale);
      var v3 = fromMemorySegment(S, ALL, i + p3, ORDER).mul(scale);
      var v4 = fromMemorySegment(S, ALL, i + p4, ORDER).mul(scale);
      var v5 = fromMemorySegment(S, ALL, i + p5, ORDER).mul(scale);
      var v6 = fromMemorySegment(S, ALL, i + p6, ORDER).mul(scale);
      var v7 = fromMemorySegment(S, ALL, i + p7, ORDER).mul(scale);
      var v8 = fromMemorySegment(S, ALL, i + p8, ORDER).mul(scale);
      var v9 = fromMemorySegment(S, ALL, i + p9, ORDER).mul(scale);
      var v10 = fromMemorySegment(S, ALL, i + p10, ORDER).mul(scale);
      var v11 = fromMemorySegment(S, ALL, i + p11, ORDER).mul(scale);
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
      }
      FloatVector ap = v0.add(v1), am = v0.sub(v1), as = v2.add(v3), at = v2.sub(v3);
      FloatVector a0 = ap.add(as), a1 = am.add(as), a2 = ap.sub(at), a3 = am.sub(at);
      FloatVector a4 = ap.add(at), a5 = am.add(at), a6 = ap.sub(as), a7 = am.sub(as);
      FloatVector bp = v4.add(v5), bm = v4.sub(v5), bs = v6.add(v7), bt = v6.sub(v7);
      FloatVector b0 = bp.add(bs), b1 = bm.add(bs), b2 = bp.sub(bt), b3 = bm.sub(bt);
      FloatVector b4 = bp.add(bt), b5 = bm.add(bt), b6 = bp.sub(bs), b7 = bm.sub(bs);
      FloatVector cp = v8.add(v9), cm = v8.sub(v9), cs = v10.add(v11), ct = v10.sub(v11);
      FloatVector c0 = cp.add(cs), c1 = cm.add(cs), c2 = cp.sub(ct), c3 = cm.sub(ct);
      FloatVector c4 = cp.add(ct), c5 = cm.add(ct), c6 = cp.sub(cs), c7 = cm.sub(cs);
      a7.sub(b0).sub(c0).mul(sign).intoMemorySegment(ALL, o, ORDER);
      a2.sub(b4).add(c2).intoMemorySegment(ALL, o + p1, ORDER);
      a4.add(b7).add(c4).intoMemorySegment(ALL, o + p2, ORDER);
      a1.sub(b1).sub(c7).intoMemorySegment(ALL, o + p3, ORDER);
      a2.add(b5).sub(c6).intoMemorySegment(ALL, o + p4, ORDER);
      a4.add(b2).sub(c4).intoMemorySegment(ALL, o + p5, ORDER);
      a0.sub(b3).add(c7).intoMemorySegment(ALL, o + p6, ORDER);
      a1.add(b1).sub(c1).intoMemorySegment(ALL, o + p7, ORDER);
      a3.add(b2).add(c5).intoMemorySegment(ALL, o + p8, ORDER);
      a7.add(b4).add(c2).intoMemorySegment(ALL, o + p9, ORDER);
      a6.sub(b7).sub(c3).intoMemorySegment(ALL, o + p10, ORDER);
      a5.sub(b6).add(c1).intoMemorySegment(ALL, o + p11, ORDER);
      in += BYTES;
      if (in == column) {
        in += 11 * stride;
        column = in + stride;
      }
    }
  }

  /**
   * The core of order 20: blocks of 20 elements {@code stride} bytes apart, a multiple of a vector.
   *
   * <p>Transposed, it is the same matrix with element 0 negated and the others in reverse, before and after: chi(i − j) = −chi(j − i).
   */
  static void core20(long in, long out, long blocks, long stride, boolean transposed, float scale) {
    long step = stride & STRIDE;
    long p1 = (transposed ? 19 : 1) * step;
    long p2 = (transposed ? 18 : 2) * step;
    long p3 = (transposed ? 17 : 3) * step;
    long p4 = (transposed ? 16 : 4) * step;
    long p5 = (transposed ? 15 : 5) * step;
    long p6 = (transposed ? 14 : 6) * step;
    long p7 = (transposed ? 13 : 7) * step;
    long p8 = (transposed ? 12 : 8) * step;
    long p9 = (transposed ? 11 : 9) * step;
    long p10 = 10 * step;
    long p11 = (transposed ? 9 : 11) * step;
    long p12 = (transposed ? 8 : 12) * step;
    long p13 = (transposed ? 7 : 13) * step;
    long p14 = (transposed ? 6 : 14) * step;
    long p15 = (transposed ? 5 : 15) * step;
    long p16 = (transposed ? 4 : 16) * step;
    long p17 = (transposed ? 3 : 17) * step;
    long p18 = (transposed ? 2 : 18) * step;
    long p19 = (transposed ? 1 : 19) * step;
    float sign = transposed ? -1 : 1;
    long shift = out - in;
    long column = in + stride;
    for (long end = in + 20 * blocks * stride; in != end;) {
      long i = in & ADDRESS;
      long o = in + shift & ADDRESS;
      var v0 = fromMemorySegment(S, ALL, i, ORDER).mul(sign * scale);
      var v1 = fromMemorySegment(S, ALL, i + p1, ORDER).mul(scale);
      var v2 = fromMemorySegment(S, ALL, i + p2, ORDER).mul(scale);
      var v3 = fromMemorySegment(S, ALL, i + p3, ORDER).mul(scale);
      var v4 = fromMemorySegment(S, ALL, i + p4, ORDER).mul(scale);
      var v5 = fromMemorySegment(S, ALL, i + p5, ORDER).mul(scale);
      var v6 = fromMemorySegment(S, ALL, i + p6, ORDER).mul(scale);
      var v7 = fromMemorySegment(S, ALL, i + p7, ORDER).mul(scale);
      var v8 = fromMemorySegment(S, ALL, i + p8, ORDER).mul(scale);
      var v9 = fromMemorySegment(S, ALL, i + p9, ORDER).mul(scale);
      var v10 = fromMemorySegment(S, ALL, i + p10, ORDER).mul(scale);
      var v11 = fromMemorySegment(S, ALL, i + p11, ORDER).mul(scale);
      var v12 = fromMemorySegment(S, ALL, i + p12, ORDER).mul(scale);
      var v13 = fromMemorySegment(S, ALL, i + p13, ORDER).mul(scale);
      var v14 = fromMemorySegment(S, ALL, i + p14, ORDER).mul(scale);
      var v15 = fromMemorySegment(S, ALL, i + p15, ORDER).mul(scale);
      var v16 = fromMemorySegment(S, ALL, i + p16, ORDER).mul(scale);
      var v17 = fromMemorySegment(S, ALL, i + p17, ORDER).mul(scale);
      var v18 = fromMemorySegment(S, ALL, i + p18, ORDER).mul(scale);
      var v19 = fromMemorySegment(S, ALL, i + p19, ORDER).mul(scale);
      FloatVector ap = v0.add(v1), am = v0.sub(v1), as = v2.add(v3), at = v2.sub(v3);
      FloatVector a0 = ap.add(as), a1 = am.add(as), a2 = ap.sub(at), a3 = am.sub(at);
      FloatVector a4 = ap.add(at), a5 = am.add(at), a6 = ap.sub(as), a7 = am.sub(as);
      FloatVector bp = v4.add(v5), bm = v4.sub(v5), bs = v6.add(v7), bt = v6.sub(v7);
      FloatVector b0 = bp.add(bs), b1 = bm.add(bs), b2 = bp.sub(bt), b3 = bm.sub(bt);
      FloatVector b4 = bp.add(bt), b5 = bm.add(bt), b6 = bp.sub(bs), b7 = bm.sub(bs);
      FloatVector cp = v8.add(v9), cm = v8.sub(v9), cs = v10.add(v11), ct = v10.sub(v11);
      FloatVector c0 = cp.add(cs), c1 = cm.add(cs), c2 = cp.sub(ct), c3 = cm.sub(ct);
      FloatVector c4 = cp.add(ct), c5 = cm.add(ct), c6 = cp.sub(cs), c7 = cm.sub(cs);
      FloatVector dp = v12.add(v13), dm = v12.sub(v13), ds = v14.add(v15), dt = v14.sub(v15);
      FloatVector d0 = dp.add(ds), d1 = dm.add(ds), d2 = dp.sub(dt), d3 = dm.sub(dt);
      FloatVector d4 = dp.add(dt), d5 = dm.add(dt), d6 = dp.sub(ds), d7 = dm.sub(ds);
      FloatVector ep = v16.add(v17), em = v16.sub(v17), es = v18.add(v19), et = v18.sub(v19);
      FloatVector e0 = ep.add(es), e1 = em.add(es), e2 = ep.sub(et), e3 = em.sub(et);
      FloatVector e4 = ep.add(et), e5 = em.add(et), e6 = ep.sub(es), e7 = em.sub(es);
      a7.sub(b0).sub(c0).sub(d0).sub(e0).mul(sign).intoMemorySegment(ALL, o, ORDER);
      a2.add(b7).sub(c5).sub(d7).add(e3).intoMemorySegment(ALL, o + p1, ORDER);
      a4.add(b6).sub(c2).add(d1).add(e6).intoMemorySegment(ALL, o + p2, ORDER);
      a1.sub(b3).sub(c4).sub(d5).add(e4).intoMemorySegment(ALL, o + p3, ORDER);
      a3.add(b1).sub(c0).add(d5).add(e0).intoMemorySegment(ALL, o + p4, ORDER);
      a6.add(b2).add(c7).sub(d5).sub(e7).intoMemorySegment(ALL, o + p5, ORDER);
      a4.sub(b3).add(c6).sub(d2).add(e1).intoMemorySegment(ALL, o + p6, ORDER);
      a0.sub(b6).sub(c3).sub(d4).sub(e5).intoMemorySegment(ALL, o + p7, ORDER);
      a0.add(b3).add(c1).sub(d0).add(e5).intoMemorySegment(ALL, o + p8, ORDER);
      a1.add(b6).add(c2).add(d7).sub(e5).intoMemorySegment(ALL, o + p9, ORDER);
      a2.add(b4).sub(c3).add(d6).sub(e2).intoMemorySegment(ALL, o + p10, ORDER);
      a5.add(b0).sub(c6).sub(d3).sub(e4).intoMemorySegment(ALL, o + p11, ORDER);
      a2.sub(b7).add(c3).add(d1).sub(e0).intoMemorySegment(ALL, o + p12, ORDER);
      a5.add(b1).add(c6).add(d2).add(e7).intoMemorySegment(ALL, o + p13, ORDER);
      a3.sub(b5).add(c4).sub(d3).add(e6).intoMemorySegment(ALL, o + p14, ORDER);
      a7.add(b5).add(c0).sub(d6).sub(e3).intoMemorySegment(ALL, o + p15, ORDER);
      a7.sub(b5).sub(c7).add(d3).add(e1).intoMemorySegment(ALL, o + p16, ORDER);
      a6.sub(b2).add(c1).add(d6).add(e2).intoMemorySegment(ALL, o + p17, ORDER);
      a4.sub(b4).sub(c5).add(d4).sub(e3).intoMemorySegment(ALL, o + p18, ORDER);
      a1.sub(b0).add(c5).add(d0).sub(e6).intoMemorySegment(ALL, o + p19, ORDER);
      in += BYTES;
      if (in == column) {
        in += 19 * stride;
        column = in + stride;
      }
    }
  }
}
