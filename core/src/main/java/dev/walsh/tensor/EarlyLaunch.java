package dev.walsh.tensor;

import org.bytedeco.cuda.cudart.CUfunc_st;
import org.bytedeco.cuda.cudart.CUlaunchAttribute;
import org.bytedeco.cuda.cudart.CUlaunchConfig;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/** A launch that does not wait for the kernel before it (programmatic dependent launch); a graph that captures it keeps it so. */
final class EarlyLaunch {
  private final CUlaunchAttribute attribute = new CUlaunchAttribute().retainReference();
  private final CUlaunchConfig config = new CUlaunchConfig().retainReference();

  /** @param sharedBytes dynamic shared memory of a block */
  EarlyLaunch(int sharedBytes) {
    attribute.id(cudart.CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
    attribute.value().programmaticStreamSerializationAllowed(1);
    config.gridDimY(1).gridDimZ(1).blockDimY(1).blockDimZ(1).sharedMemBytes(sharedBytes).attrs(attribute).numAttrs(1);
  }

  /** The driver's status; for one thread at a time. */
  int enqueue(CUfunc_st function, int blocks, int threads, CUstream_st stream, PointerPointer<Pointer> arguments) {
    config.gridDimX(blocks).blockDimX(threads).hStream(stream);
    return cudart.cuLaunchKernelEx(config, function, arguments, null);
  }
}
