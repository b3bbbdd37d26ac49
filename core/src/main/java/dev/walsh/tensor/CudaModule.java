package dev.walsh.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.cuda.cudart.CUfunc_st;
import org.bytedeco.cuda.cudart.CUmod_st;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.SizeTPointer;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** CUDA C++ text compiled by NVRTC, at run time, for the GPU in use; its kernels run on libtorch's current stream. */
public final class CudaModule {
  private static final Map<Nvrtc.Source, CudaModule> COMPILED = new ConcurrentHashMap<>();

  private static final int DEVICE = 0;

  private final String name;
  private final CUmod_st module;

  private CudaModule(String name, CUmod_st module) {
    this.name = name;
    this.module = module;
  }

  /**
   * Compiles and loads a module, which stays loaded; the same text with the same options is compiled once.
   *
   * @param name of the text, for messages
   * @param headers the texts that it includes, by name
   * @param options of the compiler, the architecture left out
   * @throws KernelUnavailable where the machine cannot compile or load it
   */
  public static CudaModule compile(String name, String text, Map<String, String> headers, List<String> options) {
    return COMPILED.computeIfAbsent(new Nvrtc.Source(name, text, headers, options), CudaModule::load);
  }

  private static CudaModule load(Nvrtc.Source source) {
    try (var scope = Scope.open()) {
      var code = Nvrtc.compile(source);
      enter();
      var module = new CUmod_st();
      int status = cudart.cuModuleLoadData(module, code);
      if (status != 0) throw new KernelUnavailable("the driver does not load " + source.name() + " (" + CudaError.text(status) + ")");
      return new CudaModule(source.name(), module);
    }
  }

  /** Makes the GPU's context that of the calling thread, which the driver does not do by itself. */
  private static void enter() {
    CudaError.check(cudart.cudaSetDevice(DEVICE));
  }

  /** An attribute of the GPU in use, by its number in cudart. */
  public static int attribute(int number) {
    var value = new int[1];
    CudaError.check(cudart.cudaDeviceGetAttribute(value, number, DEVICE));
    return value[0];
  }

  /** The multiprocessors of the GPU. */
  public static int multiprocessors() {
    return Gpu.MULTIPROCESSORS;
  }

  /** Whether blocks of a cluster read each other's shared memory, and kernels begin before the one before them has ended: from Hopper on. */
  public static boolean hasClusters() {
    return Gpu.CAPABILITY >= 9;
  }

  /** Asked once, and only where there is a GPU. */
  private static final class Gpu {
    static final int MULTIPROCESSORS = attribute(cudart.cudaDevAttrMultiProcessorCount);
    static final int CAPABILITY = attribute(cudart.cudaDevAttrComputeCapabilityMajor);
  }

  /** A global int of the module. */
  public int constant(String variable) {
    try (var scope = Scope.open()) {
      enter();
      var address = new long[1];
      CudaError.check(cudart.cuModuleGetGlobal(address, new SizeTPointer(1), module, new BytePointer(variable)));
      var value = new IntPointer(1);
      CudaError.check(cudart.cuMemcpyDtoH(value, address[0], Integer.BYTES));
      return value.get();
    }
  }

  /**
   * A kernel of the module that uses so many bytes of dynamic shared memory.
   *
   * @throws KernelUnavailable where a block of the GPU does not have as much
   */
  public Kernel kernel(String function, int sharedBytes) {
    enter();
    int limit = attribute(cudart.cudaDevAttrMaxSharedMemoryPerBlockOptin);
    if (sharedBytes > limit) {
      throw new KernelUnavailable(name + " needs " + sharedBytes + " bytes of shared memory for rows so wide, and the GPU has " + limit);
    }
    var handle = new CUfunc_st();
    CudaError.check(cudart.cuModuleGetFunction(handle, module, function));
    CudaError.check(cudart.cuFuncSetAttribute(handle, cudart.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, sharedBytes));
    return new Kernel(handle, sharedBytes);
  }

  /** One kernel, ready to launch from any thread; what a launch hands over is written into memory taken once. */
  public static final class Kernel {
    private static final int MOST_ARGUMENTS = 32;

    private final CUfunc_st function;
    private final int sharedBytes;
    private final EarlyLaunch early;
    private final StreamSlot stream = new StreamSlot();
    private final LongPointer values = new LongPointer(MOST_ARGUMENTS).retainReference();
    private final PointerPointer<Pointer> addresses = new PointerPointer<>(MOST_ARGUMENTS).retainReference();
    private final MemorySegment slots = MemorySegment.ofAddress(values.address()).reinterpret(MOST_ARGUMENTS * (long) Long.BYTES);

    private Kernel(CUfunc_st function, int sharedBytes) {
      this.function = function;
      this.sharedBytes = sharedBytes;
      early = new EarlyLaunch(sharedBytes);
      for (int i = 0; i < MOST_ARGUMENTS; i++) addresses.put(i, values.getPointer(i));
    }

    /** Launches on the current stream. Each argument is the 8 bytes in which {@link #argument} packs a value. */
    public void launch(int blocks, int threads, long... arguments) {
      launch(false, blocks, threads, arguments);
    }

    /**
     * Launches on the current stream, without waiting for the kernel before it to end: the kernel itself must, by {@code awaitPrevious} of
     * {@code chain.cu}. On GPUs before compute capability 9.0 it is an ordinary launch.
     */
    public void launchEarly(int blocks, int threads, long... arguments) {
      launch(true, blocks, threads, arguments);
    }

    /** One or the other. */
    public synchronized void launch(boolean early, int blocks, int threads, long... arguments) {
      MemorySegment.copy(arguments, 0, slots, ValueLayout.JAVA_LONG, 0, arguments.length);
      boolean overlapping = early && hasClusters();
      int status = enqueue(overlapping, blocks, threads);
      if (status == cudart.CUDA_ERROR_INVALID_CONTEXT) {
        enter();
        status = enqueue(overlapping, blocks, threads);
      }
      CudaError.check(status);
    }

    private int enqueue(boolean overlapping, int blocks, int threads) {
      return overlapping
          ? early.enqueue(function, blocks, threads, stream.current(), addresses)
          : cudart.cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, sharedBytes, stream.current(), addresses, null);
    }
  }

  /** A pointer to a tensor's elements; null for no tensor, or one without elements. */
  public static long argument(@Nullable Tensor t) {
    return t == null ? 0 : Memory.address(t);
  }

  /** A float. */
  public static long argument(float value) {
    return Float.floatToRawIntBits(value) & 0xFFFFFFFFL;
  }
}
