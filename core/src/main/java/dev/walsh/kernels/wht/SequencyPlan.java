package dev.walsh.kernels.wht;

/**
 * The passes over a row in sequency order: those of the natural order into scratch memory, then element by element to its place.
 *
 * <p>With S symmetric and W_ij = S_p(i)j, y·W is y·S with element j taken from place p(j); W is symmetric, so the transpose is the same.
 *
 * @param natural the transform in natural order
 * @param log2 the binary logarithm of the number of elements in a row
 * @param type their type
 */
record SequencyPlan(RowPlan natural, int log2, ElementType type) implements RowPlan {
  @Override
  public long scratchBytes(long rows) {
    return rowBytes() + natural.scratchBytes(1);
  }

  @Override
  public void apply(long in, long out, long rows, long scratch) {
    long end = in + rows * rowBytes();
    for (long to = out; in != end; in += rowBytes(), to += rowBytes()) {
      natural.apply(in, scratch, 1, scratch + rowBytes());
      for (int j = 0; j < 1 << log2; j++) {
        move(scratch, HadamardVariant.naturalRow(j, log2), to, j);
      }
    }
  }

  private void move(long from, long source, long to, long target) {
    switch (type) {
      case F32 -> RawMemory.putFloat(to + 4 * target, RawMemory.getFloat(from + 4 * source));
      case F64 -> RawMemory.putDouble(to + 8 * target, RawMemory.getDouble(from + 8 * source));
      case BF16, F16 -> RawMemory.putShort(to + 2 * target, RawMemory.getShort(from + 2 * source));
    }
  }

  private long rowBytes() {
    return (long) type.bytes() << log2;
  }
}
