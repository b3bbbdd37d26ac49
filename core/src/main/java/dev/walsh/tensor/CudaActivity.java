package dev.walsh.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

/**
 * The GPU's own record of what ran on it, through the activity interface of CUDA's profiling library CUPTI, which libtorch is linked to. Kernels
 * of a replayed graph are recorded one by one.
 */
public final class CudaActivity {
  /**
   * A kernel, copy or fill.
   *
   * @param name a kernel's symbol; {@code MEMCPY} and {@code MEMSET} for the others
   * @param start by the GPU's clock, in nanoseconds
   * @param end likewise
   */
  public record Span(String name, long start, long end) {}

  private static final String LIBRARY = "libcupti.so.13";
  private static final AtomicBoolean WARNED = new AtomicBoolean();

  // Of cupti_activity.h: the kinds of records, and where all versions of them so far have the fields that are read here.
  private static final int MEMCPY = 1;
  private static final int MEMSET = 2;
  private static final int CONCURRENT_KERNEL = 10;
  private static final long START = 16;
  private static final long END = 24;
  private static final long KERNEL_NAME = 104;
  private static final long RECORD_BYTES = 112;

  private static final long BUFFER_BYTES = 8L << 20;
  private static final int LONGEST_NAME = 4096;
  private static final int FORCED = 1;

  private final MethodHandle enable;
  private final MethodHandle disable;
  private final MethodHandle flush;
  private final MethodHandle next;
  private final Map<Long, MemorySegment> buffers = new ConcurrentHashMap<>();
  private final List<Span> spans = new ArrayList<>();

  private CudaActivity() throws Throwable {
    // By name, which finds the one that libtorch is linked to.
    var library = SymbolLookup.libraryLookup(LIBRARY, Arena.global());
    enable = function(library, "cuptiActivityEnable", JAVA_INT);
    disable = function(library, "cuptiActivityDisable", JAVA_INT);
    flush = function(library, "cuptiActivityFlushAll", JAVA_INT);
    next = function(library, "cuptiActivityGetNextRecord", ADDRESS, JAVA_LONG, ADDRESS);
    var request = callback("request", ADDRESS, ADDRESS, ADDRESS);
    var complete = callback("complete", ADDRESS, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG);
    check("cuptiActivityRegisterCallbacks",
        (int) function(library, "cuptiActivityRegisterCallbacks", ADDRESS, ADDRESS).invokeExact(request, complete));
  }

  private static MethodHandle function(SymbolLookup library, String name, MemoryLayout... arguments) {
    return Linker.nativeLinker().downcallHandle(library.findOrThrow(name), FunctionDescriptor.of(JAVA_INT, arguments));
  }

  private MemorySegment callback(String method, MemoryLayout... arguments) throws ReflectiveOperationException {
    var type = FunctionDescriptor.ofVoid(arguments);
    MethodType called = type.toMethodType();
    var target = MethodHandles.lookup().bind(this, method, called);
    return Linker.nativeLinker().upcallStub(target, type, Arena.global());
  }

  /** Runs work, and tells what ran on the GPU until all that it launched was done; null where CUPTI cannot tell, with one warning. */
  public static @Nullable List<Span> of(Runnable work) {
    var library = Holder.INSTANCE;
    if (library == null || !library.begin()) {
      work.run();
      return null;
    }
    try {
      work.run();
      Device.CUDA.synchronize();
    } finally {
      library.end();
    }
    return library.taken();
  }

  private static void warn(Throwable reason) {
    if (WARNED.compareAndSet(false, true)) {
      System.getLogger("walsh").log(System.Logger.Level.WARNING, "No CUPTI: no split of time by kernels (" + reason.getMessage() + ").");
    }
  }

  private boolean begin() {
    Device.CUDA.synchronize();
    return call("cuptiActivityEnable", enable, CONCURRENT_KERNEL, MEMCPY, MEMSET);
  }

  private void end() {
    call("cuptiActivityFlushAll", flush, FORCED);
    call("cuptiActivityDisable", disable, CONCURRENT_KERNEL, MEMCPY, MEMSET);
  }

  private List<Span> taken() {
    synchronized (spans) {
      var taken = List.copyOf(spans);
      spans.clear();
      return taken;
    }
  }

  /** Whether all calls succeeded; warns where one did not. */
  private static boolean call(String name, MethodHandle function, int... arguments) {
    try {
      for (int argument : arguments) check(name, (int) function.invokeExact(argument));
      return true;
    } catch (Throwable e) {
      warn(e);
      return false;
    }
  }

  private static void check(String name, int status) {
    if (status != 0) throw new IllegalStateException(name + " answers error " + status);
  }

  /** CUPTI wants a buffer. Called from its threads, as {@link #complete}; an exception would end the process. */
  @SuppressWarnings("unused")
  private void request(MemorySegment buffer, MemorySegment size, MemorySegment mostRecords) {
    var memory = Arena.ofAuto().allocate(BUFFER_BYTES, Long.BYTES);
    buffers.put(memory.address(), memory);
    buffer.reinterpret(ADDRESS.byteSize()).set(ADDRESS, 0, memory);
    size.reinterpret(Long.BYTES).set(JAVA_LONG, 0, BUFFER_BYTES);
    mostRecords.reinterpret(Long.BYTES).set(JAVA_LONG, 0, 0);
  }

  /** CUPTI gives a buffer back. */
  @SuppressWarnings("unused")
  private void complete(MemorySegment context, int stream, MemorySegment buffer, long size, long valid) {
    try (var arena = Arena.ofConfined()) {
      var at = arena.allocate(ADDRESS);
      while ((int) next.invokeExact(buffer, valid, at) == 0)
        read(at.get(ADDRESS, 0).reinterpret(RECORD_BYTES));
    } catch (Throwable e) {
      System.getLogger("walsh").log(System.Logger.Level.WARNING, "A record of CUPTI's cannot be read.", e);
    } finally {
      buffers.remove(buffer.address());
    }
  }

  private void read(MemorySegment activity) {
    int kind = activity.get(JAVA_INT, 0);
    var name = switch (kind) {
      case CONCURRENT_KERNEL -> string(activity.get(ADDRESS, KERNEL_NAME));
      case MEMCPY -> "MEMCPY";
      case MEMSET -> "MEMSET";
      default -> null;
    };
    if (name == null) return;
    synchronized (spans) {
      spans.add(new Span(name, activity.get(JAVA_LONG, START), activity.get(JAVA_LONG, END)));
    }
  }

  private static String string(MemorySegment pointer) {
    if (pointer.address() == 0) return "";
    var bytes = pointer.reinterpret(LONGEST_NAME);
    long end = 0;
    while (end < LONGEST_NAME - 1 && bytes.get(ValueLayout.JAVA_BYTE, end) != 0)
      end++;
    return new String(bytes.asSlice(0, end).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.US_ASCII);
  }

  /** The library, whose callbacks are registered once. */
  private static final class Holder {
    static final @Nullable CudaActivity INSTANCE = make();

    private static @Nullable CudaActivity make() {
      try {
        return new CudaActivity();
      } catch (Throwable e) {
        warn(e);
        return null;
      }
    }
  }
}
