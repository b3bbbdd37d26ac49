package dev.walsh.kernels.wht;

import jdk.incubator.vector.DoubleVector;

import static dev.walsh.kernels.wht.DoubleSylvester.BYTES;
import static dev.walsh.kernels.wht.DoubleSylvester.S;
import static dev.walsh.kernels.wht.RawMemory.ALL;
import static dev.walsh.kernels.wht.RawMemory.ORDER;
import static jdk.incubator.vector.DoubleVector.fromMemorySegment;

/**
 * The Paley cores of orders 12 and 20 on float64, those of the usual model widths, as straight-line code.
 *
 * <p>The method is that of {@link DoubleCore}: of each four inputs the eight sums with leading sign + (the digit's bits are the signs of
 * the other three), then one sum of each group an output; 5 and 7 additions an element.
 */
final class DoublePaley {
  private DoublePaley() {}

  /**
   * The core of order 12: blocks of 12 elements {@code stride} bytes apart, a multiple of a vector.
   *
   * <p>Transposed, it is the same matrix with element 0 negated and the others in reverse, before and after: chi(i − j) = −chi(j − i).
   */
  static void core12(long in, long out, long blocks, long stride, boolean transposed, double scale) {
    long first = transposed ? 11 * stride : stride;
    long step = transposed ? -stride : stride;
    double sign = transposed ? -1 : 1;
    for (long block = 0; block < blocks; block++, in += 12 * stride, out += 12 * stride) {
      for (long j = 0; j < stride; j += BYTES) {
        long i = in + first + j;
        long o = out + first + j;
        var v0 = fromMemorySegment(S, ALL, in + j, ORDER).mul(sign * scale);
        var v1 = fromMemorySegment(S, ALL, i, ORDER).mul(scale);
        var v2 = fromMemorySegment(S, ALL, i + step, ORDER).mul(scale);
        var v3 = fromMemorySegment(S, ALL, i + 2 * step, ORDER).mul(scale);
        var v4 = fromMemorySegment(S, ALL, i + 3 * step, ORDER).mul(scale);
        var v5 = fromMemorySegment(S, ALL, i + 4 * step, ORDER).mul(scale);
        var v6 = fromMemorySegment(S, ALL, i + 5 * step, ORDER).mul(scale);
        var v7 = fromMemorySegment(S, ALL, i + 6 * step, ORDER).mul(scale);
        var v8 = fromMemorySegment(S, ALL, i + 7 * step, ORDER).mul(scale);
        var v9 = fromMemorySegment(S, ALL, i + 8 * step, ORDER).mul(scale);
        var v10 = fromMemorySegment(S, ALL, i + 9 * step, ORDER).mul(scale);
        var v11 = fromMemorySegment(S, ALL, i + 10 * step, ORDER).mul(scale);
        DoubleVector ap = v0.add(v1), am = v0.sub(v1), as = v2.add(v3), at = v2.sub(v3);
        DoubleVector a0 = ap.add(as), a1 = am.add(as), a2 = ap.sub(at), a3 = am.sub(at);
        DoubleVector a4 = ap.add(at), a5 = am.add(at), a6 = ap.sub(as), a7 = am.sub(as);
        DoubleVector bp = v4.add(v5), bm = v4.sub(v5), bs = v6.add(v7), bt = v6.sub(v7);
        DoubleVector b0 = bp.add(bs), b1 = bm.add(bs), b2 = bp.sub(bt), b3 = bm.sub(bt);
        DoubleVector b4 = bp.add(bt), b5 = bm.add(bt), b6 = bp.sub(bs), b7 = bm.sub(bs);
        DoubleVector cp = v8.add(v9), cm = v8.sub(v9), cs = v10.add(v11), ct = v10.sub(v11);
        DoubleVector c0 = cp.add(cs), c1 = cm.add(cs), c2 = cp.sub(ct), c3 = cm.sub(ct);
        DoubleVector c4 = cp.add(ct), c5 = cm.add(ct), c6 = cp.sub(cs), c7 = cm.sub(cs);
        a7.sub(b0).sub(c0).mul(sign).intoMemorySegment(ALL, out + j, ORDER);
        a2.sub(b4).add(c2).intoMemorySegment(ALL, o, ORDER);
        a4.add(b7).add(c4).intoMemorySegment(ALL, o + step, ORDER);
        a1.sub(b1).sub(c7).intoMemorySegment(ALL, o + 2 * step, ORDER);
        a2.add(b5).sub(c6).intoMemorySegment(ALL, o + 3 * step, ORDER);
        a4.add(b2).sub(c4).intoMemorySegment(ALL, o + 4 * step, ORDER);
        a0.sub(b3).add(c7).intoMemorySegment(ALL, o + 5 * step, ORDER);
        a1.add(b1).sub(c1).intoMemorySegment(ALL, o + 6 * step, ORDER);
        a3.add(b2).add(c5).intoMemorySegment(ALL, o + 7 * step, ORDER);
        a7.add(b4).add(c2).intoMemorySegment(ALL, o + 8 * step, ORDER);
        a6.sub(b7).sub(c3).intoMemorySegment(ALL, o + 9 * step, ORDER);
        a5.sub(b6).add(c1).intoMemorySegment(ALL, o + 10 * step, ORDER);
      }
    }
  }

  /**
   * The core of order 20: blocks of 20 elements {@code stride} bytes apart, a multiple of a vector.
   *
   * <p>Transposed, it is the same matrix with element 0 negated and the others in reverse, before and after: chi(i − j) = −chi(j − i).
   */
  static void core20(long in, long out, long blocks, long stride, boolean transposed, double scale) {
    long first = transposed ? 19 * stride : stride;
    long step = transposed ? -stride : stride;
    double sign = transposed ? -1 : 1;
    for (long block = 0; block < blocks; block++, in += 20 * stride, out += 20 * stride) {
      for (long j = 0; j < stride; j += BYTES) {
        long i = in + first + j;
        long o = out + first + j;
        var v0 = fromMemorySegment(S, ALL, in + j, ORDER).mul(sign * scale);
        var v1 = fromMemorySegment(S, ALL, i, ORDER).mul(scale);
        var v2 = fromMemorySegment(S, ALL, i + step, ORDER).mul(scale);
        var v3 = fromMemorySegment(S, ALL, i + 2 * step, ORDER).mul(scale);
        var v4 = fromMemorySegment(S, ALL, i + 3 * step, ORDER).mul(scale);
        var v5 = fromMemorySegment(S, ALL, i + 4 * step, ORDER).mul(scale);
        var v6 = fromMemorySegment(S, ALL, i + 5 * step, ORDER).mul(scale);
        var v7 = fromMemorySegment(S, ALL, i + 6 * step, ORDER).mul(scale);
        var v8 = fromMemorySegment(S, ALL, i + 7 * step, ORDER).mul(scale);
        var v9 = fromMemorySegment(S, ALL, i + 8 * step, ORDER).mul(scale);
        var v10 = fromMemorySegment(S, ALL, i + 9 * step, ORDER).mul(scale);
        var v11 = fromMemorySegment(S, ALL, i + 10 * step, ORDER).mul(scale);
        var v12 = fromMemorySegment(S, ALL, i + 11 * step, ORDER).mul(scale);
        var v13 = fromMemorySegment(S, ALL, i + 12 * step, ORDER).mul(scale);
        var v14 = fromMemorySegment(S, ALL, i + 13 * step, ORDER).mul(scale);
        var v15 = fromMemorySegment(S, ALL, i + 14 * step, ORDER).mul(scale);
        var v16 = fromMemorySegment(S, ALL, i + 15 * step, ORDER).mul(scale);
        var v17 = fromMemorySegment(S, ALL, i + 16 * step, ORDER).mul(scale);
        var v18 = fromMemorySegment(S, ALL, i + 17 * step, ORDER).mul(scale);
        var v19 = fromMemorySegment(S, ALL, i + 18 * step, ORDER).mul(scale);
        DoubleVector ap = v0.add(v1), am = v0.sub(v1), as = v2.add(v3), at = v2.sub(v3);
        DoubleVector a0 = ap.add(as), a1 = am.add(as), a2 = ap.sub(at), a3 = am.sub(at);
        DoubleVector a4 = ap.add(at), a5 = am.add(at), a6 = ap.sub(as), a7 = am.sub(as);
        DoubleVector bp = v4.add(v5), bm = v4.sub(v5), bs = v6.add(v7), bt = v6.sub(v7);
        DoubleVector b0 = bp.add(bs), b1 = bm.add(bs), b2 = bp.sub(bt), b3 = bm.sub(bt);
        DoubleVector b4 = bp.add(bt), b5 = bm.add(bt), b6 = bp.sub(bs), b7 = bm.sub(bs);
        DoubleVector cp = v8.add(v9), cm = v8.sub(v9), cs = v10.add(v11), ct = v10.sub(v11);
        DoubleVector c0 = cp.add(cs), c1 = cm.add(cs), c2 = cp.sub(ct), c3 = cm.sub(ct);
        DoubleVector c4 = cp.add(ct), c5 = cm.add(ct), c6 = cp.sub(cs), c7 = cm.sub(cs);
        DoubleVector dp = v12.add(v13), dm = v12.sub(v13), ds = v14.add(v15), dt = v14.sub(v15);
        DoubleVector d0 = dp.add(ds), d1 = dm.add(ds), d2 = dp.sub(dt), d3 = dm.sub(dt);
        DoubleVector d4 = dp.add(dt), d5 = dm.add(dt), d6 = dp.sub(ds), d7 = dm.sub(ds);
        DoubleVector ep = v16.add(v17), em = v16.sub(v17), es = v18.add(v19), et = v18.sub(v19);
        DoubleVector e0 = ep.add(es), e1 = em.add(es), e2 = ep.sub(et), e3 = em.sub(et);
        DoubleVector e4 = ep.add(et), e5 = em.add(et), e6 = ep.sub(es), e7 = em.sub(es);
        a7.sub(b0).sub(c0).sub(d0).sub(e0).mul(sign).intoMemorySegment(ALL, out + j, ORDER);
        a2.add(b7).sub(c5).sub(d7).add(e3).intoMemorySegment(ALL, o, ORDER);
        a4.add(b6).sub(c2).add(d1).add(e6).intoMemorySegment(ALL, o + step, ORDER);
        a1.sub(b3).sub(c4).sub(d5).add(e4).intoMemorySegment(ALL, o + 2 * step, ORDER);
        a3.add(b1).sub(c0).add(d5).add(e0).intoMemorySegment(ALL, o + 3 * step, ORDER);
        a6.add(b2).add(c7).sub(d5).sub(e7).intoMemorySegment(ALL, o + 4 * step, ORDER);
        a4.sub(b3).add(c6).sub(d2).add(e1).intoMemorySegment(ALL, o + 5 * step, ORDER);
        a0.sub(b6).sub(c3).sub(d4).sub(e5).intoMemorySegment(ALL, o + 6 * step, ORDER);
        a0.add(b3).add(c1).sub(d0).add(e5).intoMemorySegment(ALL, o + 7 * step, ORDER);
        a1.add(b6).add(c2).add(d7).sub(e5).intoMemorySegment(ALL, o + 8 * step, ORDER);
        a2.add(b4).sub(c3).add(d6).sub(e2).intoMemorySegment(ALL, o + 9 * step, ORDER);
        a5.add(b0).sub(c6).sub(d3).sub(e4).intoMemorySegment(ALL, o + 10 * step, ORDER);
        a2.sub(b7).add(c3).add(d1).sub(e0).intoMemorySegment(ALL, o + 11 * step, ORDER);
        a5.add(b1).add(c6).add(d2).add(e7).intoMemorySegment(ALL, o + 12 * step, ORDER);
        a3.sub(b5).add(c4).sub(d3).add(e6).intoMemorySegment(ALL, o + 13 * step, ORDER);
        a7.add(b5).add(c0).sub(d6).sub(e3).intoMemorySegment(ALL, o + 14 * step, ORDER);
        a7.sub(b5).sub(c7).add(d3).add(e1).intoMemorySegment(ALL, o + 15 * step, ORDER);
        a6.sub(b2).add(c1).add(d6).add(e2).intoMemorySegment(ALL, o + 16 * step, ORDER);
        a4.sub(b4).sub(c5).add(d4).sub(e3).intoMemorySegment(ALL, o + 17 * step, ORDER);
        a1.sub(b0).add(c5).add(d0).sub(e6).intoMemorySegment(ALL, o + 18 * step, ORDER);
      }
    }
  }
}
