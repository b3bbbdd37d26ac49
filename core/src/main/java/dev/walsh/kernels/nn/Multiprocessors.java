package dev.walsh.kernels.nn;

import dev.walsh.tensor.CudaModule;
import org.bytedeco.cuda.global.cudart;

/** The multiprocessors of the GPU, asked once. */
final class Multiprocessors {
  static final int COUNT = CudaModule.attribute(cudart.cudaDevAttrMultiProcessorCount);

  private Multiprocessors() {}
}
