package dev.walsh.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch_cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

/**
 * The calling thread's current CUDA stream, as libtorch has it. The bindings make a native object an answer; libtorch's C interface writes
 * the handle into a slot instead, one a holder, who lets one thread at a time use it.
 */
final class StreamSlot {
  private static final MethodHandle CURRENT = bind();
  private static final int DEVICE = 0;

  private final MemorySegment slot = Arena.ofAuto().allocate(ADDRESS);
  private final Handle handle = new Handle();

  private static MethodHandle bind() {
    Loader.load(torch_cuda.class);
    var function = SymbolLookup.loaderLookup().findOrThrow("aoti_torch_get_current_cuda_stream");
    return Linker.nativeLinker().downcallHandle(function, FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));
  }

  /** The stream; valid until the next call. */
  CUstream_st current() {
    handle.pointTo(currentAddress());
    return handle;
  }

  private long currentAddress() {
    int status;
    try {
      status = (int) CURRENT.invokeExact(DEVICE, slot);
    } catch (Throwable e) {
      throw new IllegalStateException("libtorch's current stream cannot be asked for", e);
    }
    if (status != 0) throw new IllegalStateException("libtorch has no current stream: error " + status);
    return slot.get(ADDRESS, 0).address();
  }

  /** A stream's handle that is not owned. */
  private static final class Handle extends CUstream_st {
    Handle() {
      super(null);
    }

    void pointTo(long stream) {
      address = stream;
    }
  }
}
