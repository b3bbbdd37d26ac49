package dev.walsh.kernels.wht;

/** A transform of rows without gaps, bound to a matrix, a direction, a scale and an element type. */
sealed interface RowPlan permits FloatPlan, DoublePlan, HalfPlan, SequencyPlan {
  /** The bytes of this thread's scratch memory that {@link #apply} needs for so many rows. */
  long scratchBytes(long rows);

  /** Transforms rows at address {@code in} into rows at {@code out}, or in place where these are equal. */
  void apply(long in, long out, long rows, long scratch);
}
