package dev.walsh.kernels.wht;

import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.KernelUnavailable;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The fused operator on the GPU for one shape and dtype: {@code join_forward.cu} and {@code join_backward.cu}, compiled when first asked for.
 * The launch geometry is that of {@code rows.cu}.
 */
public final class CudaJoinKernels {
  /**
   * What the kernels are compiled for.
   *
   * @param factors the matrix but for the identity
   * @param channels the order of the identity that it is multiplied by: 1 for the full form, the width for no transform at all
   * @param alpha whether there is a gain of the projection; without one its pointer is not read
   * @param beta whether there is an offset
   * @param dtype of the rows: bf16, f16 or f32
   */
  public record Shape(HadamardFactors factors, int channels, boolean alpha, boolean beta, Dtype dtype) {
    int width() {
      return factors.order() * channels;
    }

    /** The same rows, with nothing between y and x'. */
    public Shape withoutProjection() {
      return new Shape(HadamardFactors.of(HadamardOrder.of(1)), width(), false, false, dtype);
    }
  }

  private static final Map<Shape, CudaJoinKernels> COMPILED = new ConcurrentHashMap<>();
  private static final int MOST_THREADS = 512;
  private static final int FORWARD_THREADS = 512;
  private static final int BACKWARD_THREADS = 384;
  private static final int REDUCE_THREADS = 1024;
  private static final int REDUCE_COLUMNS = 32;
  private static final String SHARED_BYTES = "sharedBytes";
  private static final int WARP = 32;

  private final int width;
  private final Pass forward;
  private final Pass backward;
  private final CudaModule.Kernel reduce;

  private CudaJoinKernels(Shape shape) {
    width = shape.width();
    forward = new Pass(shape, "join_forward", FORWARD_THREADS);
    backward = new Pass(shape, "join_backward", BACKWARD_THREADS);
    reduce = backward.module.kernel("join_reduce", 0);
  }

  /**
   * The kernels of a shape.
   *
   * @throws KernelUnavailable where the machine cannot compile them or the GPU cannot hold rows so wide
   */
  public static CudaJoinKernels of(Shape shape) {
    return COMPILED.computeIfAbsent(shape, CudaJoinKernels::new);
  }

  /** The most blocks that {@link #backward} runs in, each of which leaves (3, d) floats in its partial sums. */
  public int backwardBlocks(long rows) {
    return backward.blocks(rows);
  }

  /**
   * x' and n from y and x: (rows, d) each, contiguous, on the GPU; weights are (d), all of one dtype.
   *
   * @param early whether the kernel may begin while the one before it is still at work, as {@link CudaModule.Kernel#launchEarly} has it
   */
  public void forward(long rows, Tensor y, Tensor x, Tensor alpha, Tensor beta, Tensor gain, Tensor xOut, Tensor n, double eps,
      boolean early) {
    forward.kernel.launch(early, forward.blocks(rows), forward.threads, CudaModule.argument(y), CudaModule.argument(x),
        CudaModule.argument(alpha),
        CudaModule.argument(beta), CudaModule.argument(gain),
        CudaModule.argument(xOut), CudaModule.argument(n), rows, CudaModule.argument((float) eps));
  }

  /** n alone from x: (rows, d) each, where the shape is {@link Shape#withoutProjection}. */
  public void norm(long rows, Tensor x, Tensor gain, Tensor n, double eps) {
    forward.kernel.launch(forward.blocks(rows), forward.threads, 0, CudaModule.argument(x), 0, 0, CudaModule.argument(gain), 0,
        CudaModule.argument(n), rows, CudaModule.argument((float) eps));
  }

  /** The gradients of everything; a null upstream gradient is zero. partial: (backwardBlocks, 3, d) float32. */
  public void backward(long rows, Tensor y, Tensor xOut, @Nullable Tensor dxOut, @Nullable Tensor dn, Tensor alpha, Tensor gain, Tensor dy,
      Tensor dx, Tensor partial, Tensor dAlpha, Tensor dBeta,
      Tensor dGain, double eps) {
    int blocks = backward.blocks(rows);
    backward.kernel.launch(blocks, backward.threads, CudaModule.argument(y), CudaModule.argument(xOut), CudaModule.argument(dxOut),
        CudaModule.argument(dn), CudaModule.argument(alpha), CudaModule.argument(gain),
        CudaModule.argument(dy), CudaModule.argument(dx), CudaModule.argument(partial), rows, CudaModule.argument((float) eps));
    reduce.launch(Math.ceilDiv(3 * width, REDUCE_COLUMNS), REDUCE_THREADS, CudaModule.argument(partial), blocks,
        CudaModule.argument(dAlpha), CudaModule.argument(dBeta), CudaModule.argument(dGain));
  }

  /** One kernel and how it is launched. */
  private static final class Pass {
    final CudaModule module;
    final CudaModule.Kernel kernel;
    final int threads;
    private final int rowsAtOnce;
    private final int mostBlocks;

    Pass(Shape shape, String name, int threadsAMultiprocessor) {
      int vector = CudaSource.vector(shape.dtype, shape.width());
      int vectors = shape.width() / vector;
      int chunks = Math.ceilDiv(vectors, MOST_THREADS);
      threads = Math.ceilDiv(Math.ceilDiv(vectors, chunks), WARP) * WARP;
      int blocksEach = Math.max(1, Math.ceilDiv(2 * threadsAMultiprocessor - threads, 2 * threads));
      mostBlocks = blocksEach * CudaModule.multiprocessors();
      int limit = CudaModule.attribute(cudart.cudaDevAttrMaxSharedMemoryPerBlockOptin);
      // Two rows at a time keep a lone block busy, where they fit.
      var fitting = blocksEach == 1 ? compile(shape, name, vector, threads, 2, limit) : compile(shape, name, vector, threads, 1, limit);
      boolean fits = fitting.constant(SHARED_BYTES) <= limit;
      module = fits ? fitting : compile(shape, name, vector, threads, 1, limit);
      rowsAtOnce = fits && blocksEach == 1 ? 2 : 1;
      kernel = module.kernel(name, module.constant(SHARED_BYTES));
    }

    int blocks(long rows) {
      return (int) Math.clamp(Math.ceilDiv(rows, rowsAtOnce), 1, mostBlocks);
    }

    private static CudaModule compile(Shape shape, String name, int vector, int threads, int rows, int limit) {
      return CudaSource.compile(name, shape.factors, shape.channels, shape.dtype, vector,
          List.of("ALPHA=" + (shape.alpha ? 1 : 0), "BETA=" + (shape.beta ? 1 : 0), "THREADS=" + threads, "ROWS=" + rows,
              "SHARED_LIMIT=" + limit));
    }
  }
}
