package dev.walsh.kernels.wht;

import java.lang.foreign.MemorySegment;

/**
 * The transform on the Vector API, with vectors of whatever length the CPU has, rows spread over threads.
 *
 * <p>Rows that follow one another without gaps are taken in tiles that fit the first-level cache, each through all passes before the next.
 * bf16 and fp16 are widened to float32 in the thread's scratch memory and rounded once.
 */
public final class Simd implements CpuWht {
  /** The bytes of a tile of rows: the passes after the first then find it in first-level cache. (Measured; a row is never cut.) */
  private static final long TILE = 4 << 10;

  private final HadamardFactors factors;
  private final int width;
  private final RowPool pool;
  private final RowPlan[][] plans;

  Simd(HadamardFactors factors, HadamardVariant variant, double scale, int threads) {
    variant.check(factors);
    this.factors = factors;
    width = factors.order();
    pool = RowPool.of(threads);
    plans = new RowPlan[ElementType.values().length][Direction.values().length];
    var atoms = HadamardMatrix.atoms(factors, variant);
    for (var direction : Direction.values()) {
      boolean transposed = direction == Direction.TRANSPOSE;
      var halves = FloatPlan.of(atoms, 1, transposed, HalfPlan.first((float) scale));
      for (var type : ElementType.values()) {
        var natural = switch (type) {
          case F32 -> FloatPlan.of(atoms, 1, transposed, (float) scale);
          case F64 -> DoublePlan.of(atoms, 1, transposed, scale);
          case BF16, F16 -> new HalfPlan(type, halves, HalfPlan.last((float) scale), width);
        };
        plans[type.ordinal()][direction.ordinal()] = variant == HadamardVariant.SEQUENCY
            ? new SequencyPlan(natural, atoms.size(), type)
            : natural;
      }
    }
  }

  @Override
  public HadamardFactors factors() {
    return factors;
  }

  @Override
  public int width() {
    return width;
  }

  @Override
  public String describe() {
    return "simd (" + FloatSylvester.S.vectorBitSize() + " bits, " + pool.threads() + " threads)";
  }

  @Override
  public void transform(ElementType type, Direction direction, long rows, MemorySegment in, long inStride, MemorySegment out,
      long outStride) {
    int d = width;
    var source = Rows.of(in, rows, d, inStride, type);
    var target = Rows.of(out, rows, d, outStride, type);
    source.checkAliasing(target);
    long rowBytes = (long) d * type.bytes();
    long tile = source.contiguous() && target.contiguous() ? Math.max(1, TILE / rowBytes) : 1;
    var plan = plans[type.ordinal()][direction.ordinal()];
    long inStep = inStride * type.bytes();
    long outStep = outStride * type.bytes();
    if (pool.chunks(rows, rowBytes) == 1) {
      transform(plan, source.address(), inStep, target.address(), outStep, rows, tile);
    } else {
      spread(plan, source.address(), inStep, target.address(), outStep, rows, rowBytes, tile);
    }
  }

  private void spread(RowPlan plan, long in, long inStep, long out, long outStep, long rows, long rowBytes, long tile) {
    pool.run(rows, rowBytes,
        (chunk, from, to) -> transform(plan, in + from * inStep, inStep, out + from * outStep, outStep, to - from, tile));
  }

  private static void transform(RowPlan plan, long in, long inStep, long out, long outStep, long rows, long tile) {
    long most = Math.min(tile, rows);
    long scratchBytes = plan.scratchBytes(most);
    long scratch = scratchBytes == 0 ? 0 : RawMemory.scratch(scratchBytes);
    for (long row = 0; row < rows; row += tile) {
      plan.apply(in + row * inStep, out + row * outStep, Math.min(tile, rows - row), scratch);
    }
  }
}
