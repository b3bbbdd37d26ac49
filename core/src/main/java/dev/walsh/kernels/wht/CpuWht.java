package dev.walsh.kernels.wht;

import java.lang.foreign.MemorySegment;
import org.bytedeco.pytorch.Tensor;

/**
 * A transform on the CPU, which takes rows in native memory whether or not a tensor holds them. Such a call allocates nothing once warm but
 * one task object where it is spread over threads.
 */
public sealed interface CpuWht extends Wht permits Reference, Simd {
  /**
   * Transforms {@code rows} rows.
   *
   * @param type the type of the elements of both matrices
   * @param direction with H or with Hᵀ
   * @param rows the number of rows; none is allowed
   * @param in native memory of shape (rows, d), read
   * @param inStride the distance of its rows in elements, at least d
   * @param out native memory of shape (rows, d), written; the same rows as {@code in} (same address and stride), or apart from them
   * @param outStride the distance of its rows in elements, at least d
   * @throws IllegalArgumentException for heap memory, a segment that is too small, a bad stride or count, or a partial overlap
   */
  void transform(ElementType type, Direction direction, long rows, MemorySegment in, long inStride, MemorySegment out, long outStride);

  /** Transforms rows without gaps, of shape (rows, d), from {@code in} to {@code out}. */
  default void transform(ElementType type, Direction direction, long rows, MemorySegment in, MemorySegment out) {
    int d = width();
    transform(type, direction, rows, in, d, out, d);
  }

  @Override
  default void transform(Tensor in, Tensor out, Direction direction) {
    if (!in.is_cpu() || !out.is_cpu()) throw TensorRows.elsewhere("cpu");
    var rows = TensorRows.of(in, out, width());
    var source = rows.in();
    var target = rows.out();
    transform(source.type(), direction, source.count(), RawMemory.ALL.asSlice(source.address()), source.stride(),
        RawMemory.ALL.asSlice(target.address()), target.stride());
  }
}
