package dev.walsh.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The memory of CPU tensors as Java sees it: no copy, valid as long as the tensor. */
public final class Memory {
  private Memory() {}

  /** All elements of a contiguous CPU tensor, in row-major order. */
  public static MemorySegment of(Tensor t) {
    if (!t.is_cpu() || !t.is_contiguous()) throw new IllegalArgumentException("not a contiguous CPU tensor");
    return MemorySegment.ofAddress(t.data_ptr().address()).reinterpret(t.nbytes());
  }

  /** The elements of a tensor of floating-point numbers, wherever it is, in row-major order; waits for its device. */
  public static double[] doubles(Tensor t) {
    try (var scope = Scope.withoutGradients()) {
      return of(t.to(Device.CPU.options(Dtype.F64), false, false, null).contiguous()).toArray(ValueLayout.JAVA_DOUBLE);
    }
  }

  /** The elements of a CPU tensor of floating-point numbers as float32, in row-major order. */
  public static float[] floats(Tensor t) {
    try (var scope = Scope.withoutGradients()) {
      return of(t.to(Dtype.F32.scalarType()).contiguous()).toArray(ValueLayout.JAVA_FLOAT);
    }
  }

  /** Where a tensor's first element lies, in the memory of its device; 0 for a tensor without elements. */
  public static long address(Tensor t) {
    var pointer = t.data_ptr();
    return pointer == null ? 0 : pointer.address();
  }

  /** A new float64 CPU tensor. */
  public static Tensor tensor(double[] values, long... shape) {
    var t = torch.empty(shape, Device.CPU.options(Dtype.F64), null);
    MemorySegment.copy(values, 0, of(t), ValueLayout.JAVA_DOUBLE, 0, values.length);
    return t;
  }

  /** A new float32 CPU tensor. */
  public static Tensor tensor(float[] values, long... shape) {
    var t = torch.empty(shape, Device.CPU.options(Dtype.F32), null);
    MemorySegment.copy(values, 0, of(t), ValueLayout.JAVA_FLOAT, 0, values.length);
    return t;
  }

  /** A new int64 CPU tensor. */
  public static Tensor tensor(long[] values, long... shape) {
    var t = torch.empty(shape, Device.CPU.options(Dtype.I64), null);
    MemorySegment.copy(values, 0, of(t), ValueLayout.JAVA_LONG, 0, values.length);
    return t;
  }
}
