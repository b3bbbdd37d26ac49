package dev.walsh.kernels.wht;

import java.lang.foreign.MemorySegment;

/**
 * A checked matrix in native memory: {@code count} rows of {@code width} elements, each {@code stride} elements after the one before.
 *
 * @param address the address of the first element
 * @param count the number of rows
 * @param width the number of elements in a row
 * @param stride the distance from row to row in elements, at least {@code width} where there are two rows or more
 * @param type the type of the elements
 */
record Rows(long address, long count, int width, long stride, ElementType type) {
  /**
   * Checks that the rows lie inside {@code segment}.
   *
   * @throws IllegalArgumentException for heap memory, a negative count, a stride below the width, or a segment that is too small
   */
  static Rows of(MemorySegment segment, long count, int width, long stride, ElementType type) {
    if (count < 0 || stride < width && (count > 1 || stride < 0)) {
      throw new IllegalArgumentException(
          count + " rows of " + width + " with stride " + stride + ": the count must not be negative nor the stride less than the width");
    }
    long bytes = count == 0 ? 0 : Math.multiplyExact(Math.addExact(Math.multiplyExact(count - 1, stride), width), type.bytes());
    if (!segment.isNative() || segment.byteSize() < bytes) {
      throw refusal(segment, count, width, stride, bytes);
    }
    return new Rows(segment.address(), count, width, stride, type);
  }

  private static IllegalArgumentException refusal(MemorySegment segment, long count, int width, long stride, long bytes) {
    return new IllegalArgumentException(segment.isNative()
        ? count + " rows of " + width + " with stride " + stride + " need " + bytes + " bytes, the segment has " + segment.byteSize()
        : "rows must lie in native memory, not in a heap array");
  }

  /** Whether the rows follow one another without gaps. */
  boolean contiguous() {
    return stride == width || count <= 1;
  }

  long address(long row) {
    return address + row * stride * type.bytes();
  }

  private long end() {
    return count == 0 ? address : address(count - 1) + (long) width * type.bytes();
  }

  /**
   * Checks that a kernel may read these rows and write {@code out}: either the very same rows, or no byte in common.
   *
   * @throws IllegalArgumentException where they overlap in part
   */
  void checkAliasing(Rows out) {
    boolean same = address == out.address && (stride == out.stride || count <= 1);
    if (!apart(out) && !same) {
      throw new IllegalArgumentException("input and output overlap without being the same rows");
    }
  }

  /** Whether no byte of these rows is one of the others, gaps included. */
  boolean apart(Rows other) {
    return end() <= other.address || other.end() <= address;
  }
}
