package dev.walsh.kernels.wht;

import dev.walsh.config.UserError;
import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.KernelUnavailable;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.pytorch.Tensor;

/**
 * The transform on the GPU, orthonormal, for rows of float32, bf16 and fp16: {@code transform.cu}, compiled for each dtype and direction when
 * first asked for. It runs on libtorch's current stream, so that a CUDA graph can capture it.
 */
public final class Cuda implements Wht {
  private static final int RUN = 16;
  private static final int LONG_RUN = 32;
  private static final int LONG_RUN_WIDTH = 8192;
  private static final int LEAST_THREADS = 128;
  private static final int MOST_THREADS = 1024;
  private static final int WARP = 32;

  private final HadamardFactors factors;
  private final int width;
  private final Map<Kind, Launch> launches = new ConcurrentHashMap<>();

  Cuda(HadamardFactors factors) {
    this.factors = factors;
    width = factors.order();
    launch(new Kind(Dtype.F32, Direction.FORWARD, CudaSource.vector(Dtype.F32, width)));
  }

  @Override
  public HadamardFactors factors() {
    return factors;
  }

  @Override
  public int width() {
    return width;
  }

  @Override
  public String describe() {
    return "cuda";
  }

  @Override
  public void transform(Tensor in, Tensor out, Direction direction) {
    if (!in.is_cuda() || !out.is_cuda()) throw TensorRows.elsewhere("cuda");
    var rows = TensorRows.of(in, out, width);
    var dtype = Dtype.of(in);
    if (dtype == Dtype.F64)
      throw new UserError("The transform on the GPU takes f32, bf16 and f16, not f64: convert the rows or use the CPU.");
    var source = rows.in();
    var target = rows.out();
    if (source.count() == 0) return;
    // What one access moves must divide every distance in memory.
    int vector = CudaSource.vector(dtype, width, source.stride(), target.stride(), source.address() / dtype.bytes(),
        target.address() / dtype.bytes());
    launch(new Kind(dtype, direction, vector)).run(source, target);
  }

  private Launch launch(Kind kind) {
    try {
      return launches.computeIfAbsent(kind, Launch::new);
    } catch (KernelUnavailable e) {
      throw new UserError("The transform of width " + width + " cannot run on this GPU, since " + e.getMessage()
          + ": mend that, or transform on the CPU.", e);
    }
  }

  /** What a kernel is compiled for, the matrix aside. */
  private record Kind(Dtype dtype, Direction direction, int vector) {}

  /** One kernel and how it is launched: the contract of {@code transform.cu}. */
  private final class Launch {
    private final CudaModule.Kernel kernel;
    private final int rowsABlock;
    private final int threads;

    Launch(Kind kind) {
      int longest = kind.dtype.bytes() == 2 && width >= LONG_RUN_WIDTH ? LONG_RUN : RUN;
      int run = Math.min(longest, Integer.lowestOneBit(width));
      int runs = width / run;
      rowsABlock = runs >= LEAST_THREADS ? 1 : Integer.highestOneBit(Math.ceilDiv(LEAST_THREADS, runs) * 2 - 1);
      threads = Math.min(MOST_THREADS, Math.ceilDiv(rowsABlock * runs, WARP) * WARP);
      var module = CudaSource.compile("transform", factors, 1, kind.dtype, kind.vector,
          List.of("TRANSPOSE=" + (kind.direction == Direction.TRANSPOSE ? 1 : 0), "RUN=" + run, "ROWS=" + rowsABlock,
              "THREADS=" + threads));
      kernel = module.kernel("transform", module.constant("sharedBytes"));
    }

    void run(Rows in, Rows out) {
      int blocks = Math.toIntExact(Math.ceilDiv(in.count(), rowsABlock));
      kernel.launch(blocks, threads, in.address(), out.address(), in.count(), in.stride(), out.stride());
    }
  }
}
