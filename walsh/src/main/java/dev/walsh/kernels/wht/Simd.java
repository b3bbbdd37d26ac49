package dev.walsh.kernels.wht;

import java.lang.foreign.MemorySegment;

/**
 * The transform on the Vector API, with vectors of whatever length the CPU has, rows spread over threads.
 *
 * <p>Rows that follow one another without gaps are taken in tiles that fit the first-level cache, each through all passes before the next.
 * bf16 and fp16 are widened to float32 in the thread's scratch memory and rounded once.
 */
public final class Simd implements Wht {
  /** The bytes of a tile: small enough that a tile and its output stay in 32 KiB of first-level cache. */
  private static final long TILE_BYTES = 8 << 10;

  private final HadamardFactors factors;
  private final RowPool pool;
  private final FloatPlan[] floats;
  private final DoublePlan[] doubles;

  Simd(HadamardFactors factors, double scale, int threads) {
    this.factors = factors;
    pool = RowPool.of(threads);
    floats = new FloatPlan[] {FloatPlan.of(factors, false, (float) scale), FloatPlan.of(factors, true, (float) scale)};
    doubles = new DoublePlan[] {DoublePlan.of(factors, false, scale), DoublePlan.of(factors, true, scale)};
  }

  @Override
  public HadamardFactors factors() {
    return factors;
  }

  @Override
  public String describe() {
    return "simd (" + FloatSylvester.S.vectorBitSize() + " bits, " + pool.threads() + " threads)";
  }

  @Override
  public void transform(ElementType type, Direction direction, long rows, MemorySegment in, long inStride, MemorySegment out,
      long outStride) {
    int d = factors.order();
    var source = Rows.of(in, rows, d, inStride, type);
    var target = Rows.of(out, rows, d, outStride, type);
    source.checkAliasing(target);
    long rowBytes = (long) d * type.bytes();
    if (pool.chunks(rows, rowBytes) == 1) {
      transform(direction, source, target, 0, rows);
    } else {
      pool.run(rows, rowBytes, (chunk, from, to) -> transform(direction, source, target, from, to));
    }
  }

  private void transform(Direction direction, Rows in, Rows out, long from, long to) {
    long tile = in.contiguous() && out.contiguous() ? Math.max(1, TILE_BYTES / ((long) in.width() * in.type().bytes())) : 1;
    switch (in.type()) {
      case F32 -> transformFloats(floats[direction.ordinal()], in, out, from, to, tile);
      case F64 -> transformDoubles(doubles[direction.ordinal()], in, out, from, to, tile);
      case BF16, F16 -> transformHalves(floats[direction.ordinal()], in, out, from, to, tile);
    }
  }

  private static void transformFloats(FloatPlan plan, Rows in, Rows out, long from, long to, long tile) {
    long scratch = Memory.scratch(plan.scratchBytes());
    for (long r = from; r < to; r += tile) {
      plan.apply(in.address(r), out.address(r), Math.min(tile, to - r), scratch);
    }
  }

  private static void transformDoubles(DoublePlan plan, Rows in, Rows out, long from, long to, long tile) {
    long scratch = Memory.scratch(plan.scratchBytes());
    for (long r = from; r < to; r += tile) {
      plan.apply(in.address(r), out.address(r), Math.min(tile, to - r), scratch);
    }
  }

  private static void transformHalves(FloatPlan plan, Rows in, Rows out, long from, long to, long tile) {
    long bytes = tile * in.width() * Float.BYTES + FloatSylvester.BYTES;
    long row = Memory.scratch(bytes + plan.scratchBytes());
    for (long r = from; r < to; r += tile) {
      long rows = Math.min(tile, to - r);
      HalfFloats.widen(in.type(), in.address(r), row, rows * in.width());
      plan.apply(row, row, rows, row + bytes);
      HalfFloats.narrow(in.type(), row, out.address(r), rows * in.width());
    }
  }
}
