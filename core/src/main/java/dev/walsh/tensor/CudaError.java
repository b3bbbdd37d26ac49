package dev.walsh.tensor;

import org.bytedeco.cuda.global.cudart;

/** What CUDA's functions answer, in words; the runtime and the driver number their errors alike. */
final class CudaError {
  private CudaError() {}

  static String text(int status) {
    return "CUDA error " + status + ": " + cudart.cudaGetErrorString(status).getString();
  }

  /** Throws unless a function has succeeded. */
  static void check(int status) {
    if (status != 0) throw new IllegalStateException(text(status));
  }
}
