package dev.walsh.kernels.hla;

import dev.walsh.kernels.nn.KernelCache;
import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** {@code step.cu}: one token of {@link Chunked#proceed} on the GPU, for untied features in bf16; the state is read and written once. */
final class CudaStep {
  /** What the kernel is compiled for. */
  private record Shape(int lead, int middle, int last, int width, boolean counted) {
    static Shape of(Operands x) {
      var width = x.values() == null ? 0 : (int) x.values().size(-1);
      return new Shape(rank(x, 0), rank(x, 1), rank(x, 2), width, x.counted());
    }

    private static int rank(Operands x, int factor) {
      return factor < x.keys().size() ? (int) x.keys().get(factor).size(1) : 1;
    }

    int columns() {
      return width + (counted ? 1 : 0);
    }

    int rows() {
      return Math.max(1, THREADS / columns());
    }
  }

  private static final KernelCache<Shape, CudaStep> KERNELS = new KernelCache<>("Steps of linear attention", CudaStep::new);
  private static final int MOST_FACTORS = 3;
  private static final int THREADS = 512;
  private static final int MOST_COLUMNS = 1024;

  private final Shape shape;
  private final CudaModule.Kernel kernel;

  private CudaStep(Shape shape) {
    this.shape = shape;
    kernel = CudaKernels.compile("step", "LEAD=" + shape.lead, "MIDDLE=" + shape.middle, "LAST=" + shape.last, "WIDTH=" + shape.width,
        "COUNTED=" + (shape.counted ? 1 : 0), "ROWS=" + shape.rows()).kernel("step", 0);
  }

  /**
   * As {@link CpuStep#run}; null where there is no kernel for it.
   *
   * @param entries of a state of the operands' features
   * @param decay (G,1), or null
   * @param state (G,R,W), which goes on in place
   */
  static @Nullable Tensor run(Operands x, long entries, @Nullable Tensor decay, Tensor state) {
    boolean fits = state.is_cuda() && x.length() == 1 && x.keys().size() <= MOST_FACTORS && x.columns() <= MOST_COLUMNS
        && Dtype.of(x.keys().getFirst()) == Dtype.BF16 && x.hasAllProducts(entries) && state.is_contiguous();
    if (!fits) return null;
    var kernels = KERNELS.of(Shape.of(x));
    return kernels == null ? null : kernels.apply(x, decay, state);
  }

  private Tensor apply(Operands x, @Nullable Tensor decay, Tensor state) {
    try (var scope = Scope.withoutGradients()) {
      var out = torch.empty(new long[] {x.groups(), 1, shape.columns()}, Device.CUDA.options(Dtype.F32), null);
      kernel.launch(Math.toIntExact(x.groups()), shape.rows() * shape.columns(), argument(x.queries(), 0), argument(x.queries(), 1),
          argument(x.queries(), 2), argument(x.keys(), 0), argument(x.keys(), 1), argument(x.keys(), 2), argument(x.values()),
          argument(decay), CudaModule.argument(state), CudaModule.argument(out));
      return scope.escape(out);
    }
  }

  private static long argument(List<Tensor> of, int i) {
    return i < of.size() ? argument(of.get(i)) : 0;
  }

  private static long argument(@Nullable Tensor t) {
    return t == null ? 0 : CudaModule.argument(t.contiguous());
  }
}
