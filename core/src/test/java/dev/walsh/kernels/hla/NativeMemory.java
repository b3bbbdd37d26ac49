package dev.walsh.kernels.hla;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/** The bytes that native code holds of what malloc gave it, and the most of them while work ran: read again and again from beside it. */
final class NativeMemory {
  // struct mallinfo2 of glibc: ten numbers, of which the fifth counts what is mapped and the eighth what is in use of the rest.
  private static final MemoryLayout COUNTS = MemoryLayout.structLayout(MemoryLayout.sequenceLayout(10, ValueLayout.JAVA_LONG));
  private static final int MAPPED = 4;
  private static final int IN_USE = 7;
  private static final @Nullable MethodHandle MALLINFO = Linker.nativeLinker().defaultLookup().find("mallinfo2")
      .map(function -> Linker.nativeLinker().downcallHandle(function, FunctionDescriptor.of(COUNTS))).orElse(null);

  private NativeMemory() {}

  static boolean isKnown() {
    return MALLINFO != null;
  }

  /** By how many bytes the most in use while {@code work} runs exceeds what was in use before. */
  static long peak(Runnable work) throws InterruptedException {
    long before = inUse();
    var sampler = new Sampler();
    sampler.start();
    work.run();
    sampler.stopped = true;
    sampler.join();
    return sampler.most - before;
  }

  private static long inUse() {
    if (MALLINFO == null) throw new IllegalStateException("no mallinfo2 in this C library");
    try (var arena = Arena.ofConfined()) {
      var counts = (MemorySegment) MALLINFO.invokeExact((SegmentAllocator) arena);
      return counts.getAtIndex(ValueLayout.JAVA_LONG, MAPPED) + counts.getAtIndex(ValueLayout.JAVA_LONG, IN_USE);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  /** Tensors of the size looked for are tens of megabytes, which take many milliseconds to be written. */
  private static final class Sampler extends Thread {
    volatile boolean stopped;
    volatile long most;

    @Override
    public void run() {
      while (!stopped) {
        most = Math.max(most, inUse());
        Thread.onSpinWait();
        Thread.yield();
      }
    }
  }
}
