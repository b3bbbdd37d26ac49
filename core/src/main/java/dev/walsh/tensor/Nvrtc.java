package dev.walsh.tensor;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.cuda.global.nvrtc;
import org.bytedeco.cuda.nvrtc._nvrtcProgram;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.SizeTPointer;

/** CUDA's run-time compiler: text to code for the GPU that is there. */
final class Nvrtc {
  private Nvrtc() {}

  /**
   * A text with all that decides what it compiles to.
   *
   * @param name of the text, for messages
   * @param headers the texts that it includes, by name
   * @param options of the compiler, the target left out
   */
  record Source(String name, String text, Map<String, String> headers, List<String> options) {
    Source {
      headers = Map.copyOf(headers);
      options = List.copyOf(options);
    }
  }

  /**
   * What code is made for.
   *
   * @param capability ten times the compute capability, 90 for 9.0
   * @param binary whether that is the GPU's own; else the code is PTX, which the driver translates for the GPU
   */
  record Target(int capability, boolean binary) {
    /**
     * The GPU itself where the compiler knows it, else the newest generation before it that the compiler knows.
     *
     * @throws KernelUnavailable where the GPU is older than all of those
     */
    static Target of(int gpu, int... known) {
      int newest = Arrays.stream(known).filter(c -> c <= gpu).max()
          .orElseThrow(() -> new KernelUnavailable("NVRTC compiles for compute capability " + Arrays.stream(known).min().orElse(0) / 10.0
              + " and newer, and the GPU has " + gpu / 10.0));
      return new Target(newest, newest == gpu);
    }

    String option() {
      return "--gpu-architecture=" + (binary ? "sm_" : "compute_") + capability;
    }
  }

  /**
   * Code that the driver can load, in the innermost scope.
   *
   * @throws KernelUnavailable where the compiler is missing or refuses the text
   */
  static BytePointer compile(Source source) {
    try {
      return compile(source, Target.of(gpu(), known()));
    } catch (LinkageError e) {
      throw new KernelUnavailable("CUDA's run-time compiler NVRTC does not load (" + reason(e) + ")", e);
    }
  }

  private static String reason(Throwable error) {
    var cause = error.getCause();
    return cause == null ? String.valueOf(error.getMessage()) : reason(cause);
  }

  private static int gpu() {
    return 10 * CudaModule.attribute(cudart.cudaDevAttrComputeCapabilityMajor)
        + CudaModule.attribute(cudart.cudaDevAttrComputeCapabilityMinor);
  }

  private static int[] known() {
    var count = new int[1];
    check(nvrtc.nvrtcGetNumSupportedArchs(count));
    var known = new int[count[0]];
    check(nvrtc.nvrtcGetSupportedArchs(known));
    return known;
  }

  private static BytePointer compile(Source source, Target target) {
    var program = new _nvrtcProgram();
    check(nvrtc.nvrtcCreateProgram(program, new BytePointer(source.text), new BytePointer(source.name), source.headers.size(),
        strings(source.headers.values()), strings(source.headers.keySet())));
    try {
      var flags = new ArrayList<>(source.options);
      flags.add(target.option());
      if (nvrtc.nvrtcCompileProgram(program, flags.size(), strings(flags)) != 0) {
        throw new KernelUnavailable("NVRTC does not compile " + source.name + " with " + flags + ": " + log(program));
      }
      var size = new SizeTPointer(1);
      check(target.binary ? nvrtc.nvrtcGetCUBINSize(program, size) : nvrtc.nvrtcGetPTXSize(program, size));
      var code = new BytePointer(size.get());
      check(target.binary ? nvrtc.nvrtcGetCUBIN(program, code) : nvrtc.nvrtcGetPTX(program, code));
      return code;
    } finally {
      nvrtc.nvrtcDestroyProgram(program);
    }
  }

  private static PointerPointer<BytePointer> strings(Collection<String> strings) {
    return new PointerPointer<>(strings.stream().map(BytePointer::new).toArray(BytePointer[]::new));
  }

  private static String log(_nvrtcProgram program) {
    var size = new SizeTPointer(1);
    check(nvrtc.nvrtcGetProgramLogSize(program, size));
    var log = new BytePointer(size.get());
    check(nvrtc.nvrtcGetProgramLog(program, log));
    return log.getString().strip();
  }

  private static void check(int status) {
    if (status != 0) throw new IllegalStateException("NVRTC: " + nvrtc.nvrtcGetErrorString(status).getString());
  }
}
