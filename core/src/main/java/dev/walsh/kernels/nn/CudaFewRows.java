package dev.walsh.kernels.nn;

import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Dtype;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Products of few rows on the GPU, where no gradient is wanted: the matrix, of floats or an {@link Int8Matrix}, is read at the speed of memory,
 * and its first columns while the kernel before is still at work. An MLP's gate comes with its product.
 */
final class CudaFewRows {
  /** From here on libtorch's products, which use matrix units, are faster. */
  private static final int MOST_ROWS = 8;
  /** Rows up to which working on the bytes for each tile of rows costs less than widening the matrix, by the bytes moved. */
  private static final int MOST_ROWS_OF_BYTES = 32;
  private static final int PACKET_BYTES = 16;

  private static final KernelCache<Shape, Kernel> KERNELS = new KernelCache<>("Products of few rows", Kernel::new);

  private CudaFewRows() {}

  private static boolean covers(Tensor x, Tensor weight) {
    if (!KernelText.covers(x) || CustomGradient.isWanted(x, weight) || !weight.is_contiguous()) return false;
    boolean bytes = Int8Matrix.is(weight);
    if (!bytes && Dtype.of(weight) != Dtype.of(x)) return false;
    long in = x.size(-1);
    long rows = x.numel() / in;
    return rows > 0 && rows <= (bytes ? MOST_ROWS_OF_BYTES : MOST_ROWS) && in % packet(bytes, Dtype.of(x)) == 0;
  }

  private static int packet(boolean bytes, Dtype dtype) {
    return bytes ? PACKET_BYTES : PACKET_BYTES / dtype.bytes();
  }

  /** x: (…,in), weight: (out,in), or in bytes -> (…,out); null where libtorch must do it. */
  static @Nullable Tensor multiply(Tensor x, Tensor weight) {
    return run(x, weight, false);
  }

  /** silu of the first half of the product's channels, times the second; weight: (2F,in), or in bytes -> (…,F); null likewise. */
  static @Nullable Tensor gated(Tensor x, Tensor weight) {
    return run(x, weight, true);
  }

  private static @Nullable Tensor run(Tensor x, Tensor weight, boolean gated) {
    if (!covers(x, weight)) return null;
    int in = (int) x.size(-1);
    int rows = (int) (x.numel() / in);
    int outs = (int) weight.size(0) / (gated ? 2 : 1);
    int tile = (int) Math.min(8, Long.highestOneBit(Math.max(1, 2L * rows - 1)));
    var kernel = KERNELS.of(Shape.of(Dtype.of(x), Int8Matrix.is(weight), gated, tile, in, outs));
    if (kernel == null) return null;
    var shape = x.shape();
    shape[shape.length - 1] = outs;
    var out = torch.empty(shape, x.options(), null);
    kernel.run(x.contiguous(), weight, out, in, outs, rows);
    return out;
  }

  /**
   * What the kernel is compiled for.
   *
   * @param bytes whether the matrix is in bytes
   * @param tile rows of x at a time
   * @param warpRows rows of the matrix that a warp has
   * @param depth accesses a row that a lane has under way
   */
  private record Shape(Dtype dtype, boolean bytes, boolean gated, int tile, int warpRows, int depth) {
    private static final int WARP = 32;
    /** Registers' worth of accesses under way. */
    private static final int MOST_UNDER_WAY = 16;
    private static final int MOST_DEPTH = 8;
    /** So many rows of a matrix keep the GPU busy even if warps have several. */
    private static final int TALL = 16_384;

    static Shape of(Dtype dtype, boolean bytes, boolean gated, int tile, int in, int outs) {
      int warpRows = tile > 2 || outs >= TALL ? 4 : gated ? 2 : 1;
      int accesses = Math.ceilDiv(in, WARP * packet(bytes, dtype));
      int depth = Math.min(Math.min(accesses, MOST_DEPTH), MOST_UNDER_WAY / warpRows);
      return new Shape(dtype, bytes, gated, tile, warpRows, depth);
    }
  }

  /** {@code few_rows.cu} for one shape. */
  private static final class Kernel {
    private static final int WARPS = 4;

    private final Shape shape;
    private final CudaModule.Kernel kernel;

    Kernel(Shape shape) {
      this.shape = shape;
      kernel = KernelText.compile("few_rows", shape.dtype, KernelText.vector(shape.dtype, packet(shape.bytes, shape.dtype)),
          "IN_BYTES=" + (shape.bytes ? 1 : 0), "GATED=" + (shape.gated ? 1 : 0), "TILE=" + shape.tile, "WARP_ROWS=" + shape.warpRows,
          "DEPTH=" + shape.depth, "WARPS=" + WARPS).kernel("few_rows", 0);
    }

    void run(Tensor x, Tensor weight, Tensor out, int in, int outs, int rows) {
      int warpOuts = shape.gated ? shape.warpRows / 2 : shape.warpRows;
      kernel.launchEarly(Math.ceilDiv(outs, WARPS * warpOuts) * Math.ceilDiv(rows, shape.tile), WARPS * Shape.WARP,
          CudaModule.argument(x), CudaModule.argument(weight), CudaModule.argument(out), in, weight.size(1) * weight.element_size(), outs,
          rows);
    }
  }
}
