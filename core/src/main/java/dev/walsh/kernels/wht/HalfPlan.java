package dev.walsh.kernels.wht;

/**
 * The passes over a bf16 or fp16 row: widened to float32 in scratch memory, transformed there, rounded once.
 *
 * <p>Sums and differences of so short numbers are nearly all exact in float32, so of the scale only its power of two, which keeps them in
 * range, is multiplied in before them, and the rest after.
 *
 * @param type the storage type
 * @param floats the transform in between, scaled by {@link #first}
 * @param rest {@link #last}
 * @param width the number of elements of a row
 */
record HalfPlan(ElementType type, FloatPlan floats, float rest, int width) implements RowPlan {
  /** The power of two in a scale. */
  static float first(float scale) {
    return Math.scalb(1f, Math.getExponent(scale));
  }

  /** What is left of it. */
  static float last(float scale) {
    return scale / first(scale);
  }

  @Override
  public long scratchBytes(long rows) {
    return floatBytes(rows) + floats.scratchBytes(rows);
  }

  @Override
  public void apply(long in, long out, long rows, long scratch) {
    HalfFloats.widen(type, in, scratch, rows * width);
    floats.apply(scratch, scratch, rows, scratch + floatBytes(rows));
    HalfFloats.narrow(type, scratch, out, rows * width, rest);
  }

  /** The float32 rows, rounded up to whole vectors so that what follows is aligned. */
  private long floatBytes(long rows) {
    return Math.ceilDiv(rows * width * Float.BYTES, FloatSylvester.BYTES) * FloatSylvester.BYTES;
  }
}
