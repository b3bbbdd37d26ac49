package dev.walsh.kernels.wht;

import jdk.incubator.vector.FloatVector;

import static dev.walsh.kernels.wht.FloatSylvester.BYTES;
import static dev.walsh.kernels.wht.FloatSylvester.LANES;
import static dev.walsh.kernels.wht.FloatSylvester.S;
import static dev.walsh.kernels.wht.RawMemory.ALL;
import static dev.walsh.kernels.wht.RawMemory.ORDER;
import static jdk.incubator.vector.FloatVector.broadcast;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

/**
 * The product of float32 columns with a Paley core (or its transpose), by the method of the four Russians.
 *
 * <p>The m inputs go in groups of four, a b c d, of which the eight sums a ± b ± c ± d take twelve additions; an output is then the signed
 * sum of one of the eight from each of the m/4 groups. That is 3 + m/4 operations an element in place of m − 1: 6 for m = 12, 8 for m = 20.
 */
final class FloatCore {
  /** How many pairs of blocks are packed at a time. */
  private static final int PAIRS = 8;

  private final int m;
  private final int groups;
  private final int[] sumOffsets;
  private final float[] sumSigns;
  private final byte[] signs;
  private final boolean transposed;
  private final boolean first;

  FloatCore(HadamardAtom atom, boolean transposed) {
    m = atom.order();
    groups = m / 4;
    this.transposed = transposed;
    signs = new byte[m * m];
    sumOffsets = new int[m * groups];
    sumSigns = new float[m * groups];
    var core = atom.core();
    first = core.isFirst();
    for (int j = 0; j < m; j++) {
      for (int i = 0; i < m; i++) {
        signs[j * m + i] = (byte) (transposed ? core.sign(j, i) : core.sign(i, j));
      }
      for (int g = 0; g < groups; g++) {
        int at = j * m + 4 * g;
        int lead = signs[at];
        int sum = (lead == signs[at + 1] ? 0 : 1) + (lead == signs[at + 2] ? 0 : 2) + (lead == signs[at + 3] ? 0 : 4);
        int slot = (j / 4 * groups + g) * 4 + j % 4;
        sumOffsets[slot] = (8 * g + sum) * BYTES;
        sumSigns[slot] = lead;
      }
    }
  }

  int order() {
    return m;
  }

  /** The bytes of scratch memory that {@link #apply} needs. */
  long scratchBytes() {
    return (2L + PAIRS) * m * BYTES;
  }

  /**
   * Whether a core can take over stages of the Sylvester matrix of order 2^log2 between it and the neighbours: all, where that fills half a
   * vector; those between far lanes, where it fills four vectors or more and the core is of order 12. (With them, the kernel of order 20
   * would be so large that the JIT compiler may box its vectors.)
   */
  static boolean takesStages(HadamardAtom atom, int log2) {
    return 2 << log2 == LANES || atom.order() == 12 && atom.core().isFirst() && 4 * LANES <= 1 << log2;
  }

  /**
   * Multiplies blocks of m elements {@code stride} bytes apart, for each of the columns in a stride.
   *
   * @param stages whether the Sylvester stages that it {@linkplain #takesStages can take} come first
   * @param scratch at least {@link #scratchBytes} of memory of this thread
   */
  void apply(long in, long out, long blocks, long stride, boolean stages, float scale, long scratch) {
    if (2 * stride != BYTES) {
      applyToVectors(in, out, blocks, stride, stages, scale, scratch);
      return;
    }
    applyToPairs(in, out, blocks / 2, stages, scale, scratch);
    if (blocks % 2 != 0) {
      long last = (blocks - 1) * m * stride;
      int log2 = stages ? Long.numberOfTrailingZeros(stride / Float.BYTES) : 0;
      FloatSylvester.within(in + last, out + last, m * stride / Float.BYTES, log2, scale);
      applyToColumns(out + last, out + last, 1, stride, 1, scratch);
    }
  }

  private void applyToVectors(long in, long out, long blocks, long stride, boolean stages, float scale, long scratch) {
    if (first && stride % BYTES == 0 && m == 12) {
      FloatPaley.core12(in, out, blocks, stride, transposed, stages, scale);
    } else if (first && stride % BYTES == 0 && m == 20) {
      FloatPaley.core20(in, out, blocks, stride, transposed, scale);
    } else {
      applyToColumns(in, out, blocks, stride, scale, scratch);
    }
  }

  private void applyToColumns(long in, long out, long blocks, long stride, float scale, long scratch) {
    for (long block = 0; block < blocks; block++, in += m * stride, out += m * stride) {
      long j = 0;
      for (; j <= stride - BYTES; j += BYTES) {
        sums(in + j, stride, scale, scratch);
        outputs(scratch, out + j, stride);
      }
      for (; j < stride; j += 4) {
        scalar(in + j, out + j, stride, scale, scratch);
      }
    }
  }

  /** A few pairs of blocks of half-vector columns at a time. */
  private void applyToPairs(long in, long out, long pairs, boolean stages, float scale, long scratch) {
    long packed = scratch + 2L * m * BYTES;
    long block = (long) m * BYTES / 2;
    for (long pair = 0; pair < pairs; pair += PAIRS) {
      long count = Math.min(PAIRS, pairs - pair);
      FloatPairs.pack(in + 2 * pair * block, packed, count, block, stages, scale);
      applyToVectors(packed, packed, count, BYTES, false, 1, scratch);
      FloatPairs.unpack(packed, out + 2 * pair * block, count, block);
    }
  }

  /** The eight sums of each group of four vectors, leading sign +. */
  private void sums(long in, long stride, float scale, long scratch) {
    for (int g = 0; g < groups; g++, in += 4 * stride, scratch += 8 * BYTES) {
      var a = fromMemorySegment(S, ALL, in, ORDER).mul(scale);
      var b = fromMemorySegment(S, ALL, in + stride, ORDER).mul(scale);
      var c = fromMemorySegment(S, ALL, in + 2 * stride, ORDER).mul(scale);
      var d = fromMemorySegment(S, ALL, in + 3 * stride, ORDER).mul(scale);
      FloatVector p = a.add(b), q = a.sub(b), u = c.add(d), w = c.sub(d);
      p.add(u).intoMemorySegment(ALL, scratch, ORDER);
      q.add(u).intoMemorySegment(ALL, scratch + BYTES, ORDER);
      p.sub(w).intoMemorySegment(ALL, scratch + 2 * BYTES, ORDER);
      q.sub(w).intoMemorySegment(ALL, scratch + 3 * BYTES, ORDER);
      p.add(w).intoMemorySegment(ALL, scratch + 4 * BYTES, ORDER);
      q.add(w).intoMemorySegment(ALL, scratch + 5 * BYTES, ORDER);
      p.sub(u).intoMemorySegment(ALL, scratch + 6 * BYTES, ORDER);
      q.sub(u).intoMemorySegment(ALL, scratch + 7 * BYTES, ORDER);
    }
  }

  /** Four outputs at a time, for as many independent sums. */
  private void outputs(long scratch, long out, long stride) {
    for (int at = 0; at < sumOffsets.length; out += 4 * stride) {
      var s0 = FloatVector.zero(S);
      var s1 = FloatVector.zero(S);
      var s2 = FloatVector.zero(S);
      var s3 = FloatVector.zero(S);
      for (int end = at + 4 * groups; at < end; at += 4) {
        s0 = fromMemorySegment(S, ALL, scratch + sumOffsets[at], ORDER).fma(broadcast(S, sumSigns[at]), s0);
        s1 = fromMemorySegment(S, ALL, scratch + sumOffsets[at + 1], ORDER).fma(broadcast(S, sumSigns[at + 1]), s1);
        s2 = fromMemorySegment(S, ALL, scratch + sumOffsets[at + 2], ORDER).fma(broadcast(S, sumSigns[at + 2]), s2);
        s3 = fromMemorySegment(S, ALL, scratch + sumOffsets[at + 3], ORDER).fma(broadcast(S, sumSigns[at + 3]), s3);
      }
      s0.intoMemorySegment(ALL, out, ORDER);
      s1.intoMemorySegment(ALL, out + stride, ORDER);
      s2.intoMemorySegment(ALL, out + 2 * stride, ORDER);
      s3.intoMemorySegment(ALL, out + 3 * stride, ORDER);
    }
  }

  /** One column that no whole vector covers. */
  private void scalar(long in, long out, long stride, float scale, long scratch) {
    for (int i = 0; i < m; i++) {
      RawMemory.putFloat(scratch + 4L * i, RawMemory.getFloat(in + i * stride) * scale);
    }
    for (int j = 0; j < m; j++) {
      float sum = 0;
      for (int i = 0; i < m; i++) {
        sum += signs[j * m + i] * RawMemory.getFloat(scratch + 4L * i);
      }
      RawMemory.putFloat(out + j * stride, sum);
    }
  }
}
