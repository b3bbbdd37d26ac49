package dev.walsh.tensor;

import org.bytedeco.cuda.global.cudart;

/** What CUDA's functions answer, as exceptions. */
final class Cuda {
  private Cuda() {}

  /** Throws unless a function of the runtime or the driver, which number their errors alike, has succeeded. */
  static void check(int status) {
    if (status != 0) throw new IllegalStateException("CUDA error " + status + ": " + cudart.cudaGetErrorString(status).getString());
  }
}
