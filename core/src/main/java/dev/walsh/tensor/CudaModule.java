package dev.walsh.tensor;

import java.util.List;
import java.util.Map;
import org.bytedeco.cuda.cudart.CUfunc_st;
import org.bytedeco.cuda.cudart.CUmod_st;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.cuda.global.nvrtc;
import org.bytedeco.cuda.nvrtc._nvrtcProgram;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.SizeTPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch_cuda;
import org.jspecify.annotations.Nullable;

/** CUDA C++ text compiled by NVRTC, at run time, for the GPU in use; its kernels run on libtorch's current stream. */
public final class CudaModule {
  private final CUmod_st module;

  private CudaModule(CUmod_st module) {
    this.module = module;
  }

  /**
   * Compiles and loads a module, which stays loaded.
   *
   * @param name of the text, for messages
   * @param headers the texts that it includes, by name
   * @param options of the compiler, the architecture left out
   */
  public static CudaModule compile(String name, String text, Map<String, String> headers, List<String> options) {
    try (var scope = Scope.open()) {
      var program = new _nvrtcProgram();
      var texts = new PointerPointer<>(headers.values().stream().map(BytePointer::new).toArray(BytePointer[]::new));
      var names = new PointerPointer<>(headers.keySet().stream().map(BytePointer::new).toArray(BytePointer[]::new));
      checkCompiler(nvrtc.nvrtcCreateProgram(program, new BytePointer(text), new BytePointer(name), headers.size(), texts, names));
      var flags = new BytePointer[options.size() + 1];
      flags[0] = new BytePointer("--gpu-architecture=sm_" + attribute(cudart.cudaDevAttrComputeCapabilityMajor)
          + attribute(cudart.cudaDevAttrComputeCapabilityMinor));
      for (int i = 0; i < options.size(); i++) flags[i + 1] = new BytePointer(options.get(i));
      int status = nvrtc.nvrtcCompileProgram(program, flags.length, new PointerPointer<>(flags));
      if (status != 0) throw new IllegalStateException(name + " does not compile with " + options + ":\n" + log(program));
      var size = new SizeTPointer(1);
      checkCompiler(nvrtc.nvrtcGetCUBINSize(program, size));
      var binary = new BytePointer(size.get());
      checkCompiler(nvrtc.nvrtcGetCUBIN(program, binary));
      nvrtc.nvrtcDestroyProgram(program);
      var module = scope.keep(new CUmod_st());
      check(cudart.cuModuleLoadData(module, binary));
      return new CudaModule(module);
    }
  }

  private static String log(_nvrtcProgram program) {
    var size = new SizeTPointer(1);
    checkCompiler(nvrtc.nvrtcGetProgramLogSize(program, size));
    var log = new BytePointer(size.get());
    checkCompiler(nvrtc.nvrtcGetProgramLog(program, log));
    return log.getString();
  }

  /** An attribute of the GPU in use, by its number in cudart. */
  public static int attribute(int number) {
    var value = new int[1];
    check(cudart.cudaDeviceGetAttribute(value, number, 0));
    return value[0];
  }

  /** A global int of the module. */
  public int constant(String name) {
    try (var scope = Scope.open()) {
      var address = new long[1];
      check(cudart.cuModuleGetGlobal(address, new SizeTPointer(1), module, new BytePointer(name)));
      var value = new IntPointer(1);
      check(cudart.cuMemcpyDtoH(value, address[0], Integer.BYTES));
      return value.get();
    }
  }

  /** A kernel of the module that may use so many bytes of dynamic shared memory. */
  public Kernel kernel(String name, int sharedBytes) {
    try (var scope = Scope.open()) {
      var function = scope.keep(new CUfunc_st());
      check(cudart.cuModuleGetFunction(function, module, name));
      check(cudart.cuFuncSetAttribute(function, cudart.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, sharedBytes));
      return new Kernel(function, sharedBytes);
    }
  }

  /** One kernel, ready to launch. */
  public static final class Kernel {
    private final CUfunc_st function;
    private final int sharedBytes;

    private Kernel(CUfunc_st function, int sharedBytes) {
      this.function = function;
      this.sharedBytes = sharedBytes;
    }

    /** Launches on the current stream. Each argument is the 8 bytes in which {@link #argument} packs a value. */
    public void launch(int blocks, int threads, long... arguments) {
      try (var scope = Scope.open()) {
        var values = new LongPointer(arguments);
        var addresses = new PointerPointer<>(arguments.length);
        for (int i = 0; i < arguments.length; i++) addresses.put(i, values.getPointer(i));
        var stream = torch_cuda.getCurrentCUDAStream().stream();
        check(cudart.cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, sharedBytes, stream, addresses, null));
      }
    }
  }

  /** A pointer to a tensor's elements, null for none. */
  public static long argument(@Nullable Tensor t) {
    return t == null ? 0 : t.data_ptr().address();
  }

  /** A float. */
  public static long argument(float value) {
    return Float.floatToRawIntBits(value) & 0xFFFFFFFFL;
  }

  private static void check(int status) {
    if (status != 0) throw new IllegalStateException("CUDA error " + status);
  }

  private static void checkCompiler(int status) {
    if (status != 0) throw new IllegalStateException("NVRTC: " + nvrtc.nvrtcGetErrorString(status).getString());
  }
}
