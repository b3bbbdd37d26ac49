package dev.walsh.measure;

import dev.walsh.config.UserError;
import dev.walsh.files.Natives;
import java.util.regex.Pattern;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * The libtorch in use, asked from its natives.
 *
 * @param version such as 2.10.0
 * @param natives {@code cpu} or {@code cuda}
 * @param kernels the widest instruction set that its CPU kernels use here, such as AVX512
 * @param threads the threads inside one operator
 * @param blasThreads the threads inside one float32 matrix product, which OpenBLAS counts by itself
 * @param gpus the GPUs that it can use
 * @param cudaProblem why the CUDA half of the CUDA natives does not load; empty where it does, and for the CPU's natives
 */
public record Libtorch(String version, String natives, String kernels, int threads, int blasThreads, int gpus, String cudaProblem) {
  private static final Pattern VERSION = Pattern.compile("TORCH_VERSION=([^,]+)");
  private static final Pattern CUDA = Pattern.compile("USE_CUDA=(1|ON)");

  /**
   * Loads libtorch, which takes about a second, and asks it.
   *
   * @throws UserError where the natives do not load, with the fix
   */
  static Libtorch probe() {
    load();
    try (var config = torch.show_config(); var kernels = torch.get_cpu_capability()) {
      var settings = config.getString();
      var version = VERSION.matcher(settings);
      boolean cuda = CUDA.matcher(settings).find();
      var cudaProblem = cuda ? loadCuda() : "";
      return new Libtorch(version.find() ? version.group(1) : "unknown", cuda ? "cuda" : "cpu", kernels.getString(),
          torch.get_num_threads(),
          threadsOfBlas(), Math.toIntExact(torch.getNumGPUs()), cudaProblem);
    } catch (LinkageError e) {
      throw unloadable(e);
    }
  }

  private static void load() {
    try {
      Natives.load(torch.class);
    } catch (LinkageError e) {
      throw unloadable(e);
    }
  }

  /** Loads the CUDA half, without which libtorch sees no GPU at all; returns why it does not load. */
  private static String loadCuda() {
    try {
      Natives.load(torch_cuda.class);
      return "";
    } catch (LinkageError e) {
      return reason(e);
    }
  }

  private static int threadsOfBlas() {
    int told = openblas_nolapack.blas_get_num_threads();
    if (told > 0) {
      return told;
    }
    // Until somebody sets the number, OpenBLAS does not tell it: it goes by its own variable, then by OpenMP's, then by the cores.
    var variable = System.getenv("OPENBLAS_NUM_THREADS");
    return variable != null && variable.matches("[1-9]\\d{0,3}") ? Integer.parseInt(variable) : torch.get_num_threads();
  }

  /** The error that says which library is missing and how to get it. */
  static UserError unloadable(LinkageError error) {
    var reason = reason(error);
    return new UserError("libtorch does not load (" + reason + "): " + fix(reason) + ".", error);
  }

  private static String reason(LinkageError error) {
    Throwable root = error;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return String.valueOf(root.getMessage()).lines().findFirst().orElse("").strip();
  }

  private static String fix(String reason) {
    if (reason.matches(".*lib(cu|nv|nccl).*")) {
      return "put CUDA 13 and cuDNN 9 on LD_LIBRARY_PATH, or run on the CPU with WALSH_NATIVES=cpu";
    }
    if (reason.contains("GLIBC")) {
      return "it needs a newer C library, so use a newer Linux distribution";
    }
    if (reason.contains("in java.library.path")) {
      return "the class path lacks the natives of this platform or the disk has no room to unpack them, so start with ./walsh and look at "
          + Unpacking.folder();
    }
    return "delete " + Unpacking.folder() + " so that it is unpacked again, and see that the disk has room";
  }
}
