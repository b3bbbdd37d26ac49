package dev.walsh.kernels.wht;

/**
 * The passes over a bf16 or fp16 row: widened to float32 in scratch memory, transformed there, rounded once.
 *
 * @param type the storage type
 * @param floats the transform in between
 * @param width the number of elements of a row
 */
record HalfPlan(ElementType type, FloatPlan floats, int width) implements RowPlan {
  @Override
  public long scratchBytes(long rows) {
    return floatBytes(rows) + floats.scratchBytes(rows);
  }

  @Override
  public void apply(long in, long out, long rows, long scratch) {
    HalfFloats.widen(type, in, scratch, rows * width);
    floats.apply(scratch, scratch, rows, scratch + floatBytes(rows));
    HalfFloats.narrow(type, scratch, out, rows * width);
  }

  /** The float32 rows, rounded up to whole vectors so that what follows is aligned. */
  private long floatBytes(long rows) {
    return Math.ceilDiv(rows * width * Float.BYTES, FloatSylvester.BYTES) * FloatSylvester.BYTES;
  }
}
