package dev.walsh.kernels.nn;

import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.Dtype;
import org.bytedeco.pytorch.Tensor;

/** {@code cross_entropy.cu}, compiled for one number of columns and dtype. */
final class CrossEntropyKernels implements LossKernels {
  record Shape(int vocabulary, Dtype dtype) {}

  private static final int MOST_THREADS = 1024;
  private static final int THREADS_A_MULTIPROCESSOR = 2048;
  private static final int WARP = 32;

  private final int threads;
  private final int vector;
  private final int mostBlocks;
  private final CudaModule.Kernel gradient;
  private final CudaModule.Kernel scale;

  CrossEntropyKernels(Shape shape) {
    vector = KernelText.vector(shape.dtype, shape.vocabulary);
    int vectors = shape.vocabulary / vector;
    int chunks = Math.ceilDiv(vectors, MOST_THREADS);
    threads = Math.ceilDiv(Math.ceilDiv(vectors, chunks), WARP) * WARP;
    mostBlocks = Math.max(1, THREADS_A_MULTIPROCESSOR / threads) * CudaModule.multiprocessors();
    var module = KernelText.compile("cross_entropy", shape.dtype, vector, "VOCABULARY=" + shape.vocabulary, "THREADS=" + threads);
    gradient = module.kernel("cross_entropy", 0);
    scale = module.kernel("cross_entropy_scale", 0);
  }

  @Override
  public void gradient(Tensor logits, Tensor targets, Tensor losses, float weight) {
    long rows = losses.numel();
    gradient.launch((int) Math.min(rows, mostBlocks), threads, CudaModule.argument(logits), CudaModule.argument(targets),
        CudaModule.argument(losses), rows, CudaModule.argument(weight));
  }

  @Override
  public void scale(Tensor values, Tensor factor) {
    long vectors = Math.ceilDiv(values.numel(), vector);
    scale.launch((int) Math.clamp(Math.ceilDiv(vectors, threads), 1, mostBlocks), threads, CudaModule.argument(values), values.numel(),
        CudaModule.argument(factor));
  }
}
