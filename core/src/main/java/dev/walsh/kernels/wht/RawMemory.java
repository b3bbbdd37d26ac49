package dev.walsh.kernels.wht;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Native memory by absolute address, as the kernels see it.
 *
 * <p>Kernels take addresses, not segments: one constant segment over the whole address space leaves the compiler a single, trivial bounds
 * check and no liveness check, and nothing is allocated per call. Every range is checked once, where it enters ({@link Rows}).
 */
final class RawMemory {
  static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
  static final ByteOrder ORDER = ByteOrder.nativeOrder();

  /** Masks an address, to no effect but that the compiler then knows it to lie inside {@link #ALL}, small multiples of a stride added. */
  static final long ADDRESS = Long.MAX_VALUE >> 1;

  /** Masks a stride, likewise. */
  static final long STRIDE = (1L << 40) - 1;

  private static final int ALIGNMENT = 64;
  private static final ThreadLocal<MemorySegment> SCRATCH = ThreadLocal.withInitial(() -> MemorySegment.NULL);

  private RawMemory() {}

  /** The calling thread's scratch memory of at least {@code bytes}, aligned to a cache line; the same memory at each call. */
  static long scratch(long bytes) {
    var scratch = SCRATCH.get();
    if (scratch.byteSize() < bytes) {
      scratch = Arena.ofAuto().allocate(bytes, ALIGNMENT);
      SCRATCH.set(scratch);
    }
    return scratch.address();
  }

  static float getFloat(long address) {
    return ALL.get(ValueLayout.JAVA_FLOAT_UNALIGNED, address);
  }

  static void putFloat(long address, float value) {
    ALL.set(ValueLayout.JAVA_FLOAT_UNALIGNED, address, value);
  }

  static double getDouble(long address) {
    return ALL.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, address);
  }

  static void putDouble(long address, double value) {
    ALL.set(ValueLayout.JAVA_DOUBLE_UNALIGNED, address, value);
  }

  static short getShort(long address) {
    return ALL.get(ValueLayout.JAVA_SHORT_UNALIGNED, address);
  }

  static void putShort(long address, short value) {
    ALL.set(ValueLayout.JAVA_SHORT_UNALIGNED, address, value);
  }
}
