package dev.walsh.kernels.nn;

import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Products of few rows on the GPU in bf16, where no gradient is wanted: the matrix, of floats or an {@link Int8Matrix}, is read at the speed of
 * memory, and its first columns while the kernel before is still at work. An MLP's gate comes with its product.
 */
final class CudaFewRows {
  /** A matrix in bytes must be widened for libtorch's products, which moves five times its bytes: rather it is read once for each launch. */
  private static final int MOST_ROWS_OF_BYTES = 128;
  /** Of a launch, whatever the matrix. */
  private static final int ROWS = 32;
  /** More rows are for matrices of which a side is no longer. */
  private static final int SHORT_SIDE = 768;
  private static final int PACKET_BYTES = 16;
  /** Columns of the result that matrix units make at a time. */
  private static final int TILE = 8;

  private static final KernelCache<Shape, Kernel> KERNELS = new KernelCache<>("Products of few rows", Kernel::new);

  private CudaFewRows() {}

  static boolean covers(Tensor x, Tensor weight) {
    if (!x.is_cuda() || Dtype.of(x) != Dtype.BF16 || CustomGradient.isWanted(x, weight) || !weight.is_contiguous()) return false;
    boolean bytes = Int8Matrix.is(weight);
    if (!bytes && Dtype.of(weight) != Dtype.BF16) return false;
    long in = x.size(-1);
    long rows = x.numel() / in;
    return rows > 0 && rows <= (bytes ? MOST_ROWS_OF_BYTES : mostRows(weight, in)) && in % packet(bytes) == 0;
  }

  /**
   * The most for which the product is faster than libtorch's, in which blocks share the rows: the fewer, the larger the matrix. Beyond {@link #ROWS}
   * that is as measured in a chain of a layer's kernels, which libtorch's neither begin early nor let begin.
   */
  private static int mostRows(Tensor weight, long in) {
    if (weight.numel() > 1 << 23) return 16;
    return Math.min(in, weight.size(0)) > SHORT_SIDE ? ROWS : Shape.MOST_ROOM;
  }

  /** Elements of the matrix that one access brings. */
  private static int packet(boolean bytes) {
    return bytes ? PACKET_BYTES : PACKET_BYTES / Dtype.BF16.bytes();
  }

  /** x: (…,in), weight: (out,in), or in bytes -> (…,out), in the dtype {@code result}, of x or float32; null where libtorch must do it. */
  static @Nullable Tensor multiply(Tensor x, Tensor weight, Dtype result) {
    return run(x, weight, false, result);
  }

  /** silu of the first half of the product's channels, times the second; weight: (2F,in), or in bytes -> (…,F); null likewise. */
  static @Nullable Tensor gated(Tensor x, Tensor weight) {
    return run(x, weight, true, Dtype.BF16);
  }

  private static @Nullable Tensor run(Tensor x, Tensor weight, boolean gated, Dtype result) {
    if (!covers(x, weight)) return null;
    int in = (int) x.size(-1);
    int rows = (int) (x.numel() / in);
    int outs = (int) weight.size(0) / (gated ? 2 : 1);
    int most = Math.max(ROWS, mostRows(weight, in));
    var kernel = KERNELS.of(Shape.of(Math.min(rows, most), in, outs, Int8Matrix.is(weight), gated, result));
    if (kernel == null) return null;
    var shape = x.shape();
    shape[shape.length - 1] = outs;
    var out = torch.empty(shape, Device.CUDA.options(result), null);
    var flat = x.contiguous().view(rows, in);
    for (int from = 0; from < rows; from += most) {
      int some = Math.min(most, rows - from);
      kernel.run(flat.narrow(0, from, some), weight, out.view(rows, outs).narrow(0, from, some), in, outs, some);
    }
    return out;
  }

  /**
   * What the kernel is compiled for.
   *
   * @param rows room for rows of x
   * @param tiles groups of eight columns of the result that a block has
   * @param warps of a block, which share the columns of the matrix
   * @param splits blocks of a cluster, which do so with all their warps
   * @param depth accesses under way a lane and tile
   */
  private record Shape(int rows, int tiles, int warps, int splits, int depth, boolean bytes, boolean gated, Dtype result) {
    /** The lanes of a warp that read one row of the matrix. */
    private static final int LANES = 4;
    static final int MOST_ROOM = 64;
    /** The most blocks that a cluster may have on any GPU. */
    private static final int CLUSTER = 8;

    /**
     * As measured on an H100 for matrices of 768 to 6848 channels. A lane has its whole share of a row under way where it can; where blocks are
     * so many that some wait for others, small ones do best.
     */
    static Shape of(int rows, int in, int outs, boolean bytes, boolean gated, Dtype result) {
      int room = rows <= 8 ? 8 : rows <= 16 ? 16 : rows <= 32 ? 32 : MOST_ROOM;
      double blocks = (double) Math.ceilDiv(outs, TILE) / CudaModule.multiprocessors();
      if (room == MOST_ROOM) return ofMostRoom(in, blocks, bytes, gated, result);
      boolean many = blocks > 2.5;
      int warps = many ? 4 : 8;
      int share = Math.ceilDiv(Math.ceilDiv(in, LANES * packet(bytes)), warps);
      int tiles = !gated && (room == 32 || blocks > 6) ? 2 : 1;
      return new Shape(room, tiles, warps, 1, depth(room, blocks, many, share, tiles), bytes, gated, result);
    }

    /**
     * The sums take so many registers that little else is under way: as many warps as can be, and all blocks at once. Where rows are long and few
     * blocks have columns, x alone takes a block longer than all else, and a cluster shares it.
     */
    private static Shape ofMostRoom(int in, double blocks, boolean bytes, boolean gated, Dtype result) {
      if (gated) return new Shape(MOST_ROOM, 1, blocks > 2 ? 4 : 8, 1, blocks > 2 ? 2 : 1, bytes, true, result);
      if (blocks > 1) return new Shape(MOST_ROOM, 2, 8, 1, 1, bytes, false, result);
      int warps = 4;
      boolean allHaveColumns = in >= CLUSTER * warps * LANES * packet(bytes);
      return CudaModule.hasClusters() && allHaveColumns
          ? new Shape(MOST_ROOM, 4, warps, CLUSTER, 2, bytes, false, result)
          : new Shape(MOST_ROOM, 1, 16, 1, 2, bytes, false, result);
    }

    private static int depth(int room, double blocks, boolean many, int share, int tiles) {
      if (room == 32) return share <= 4 && !many ? share : 2;
      if (share <= 8 && tiles == 1) return share;
      if (tiles == 2) return leastIdle(share, 4, 3);
      return blocks <= 2 ? leastIdle(share, 6, 4) : 4;
    }

    /** That of two depths whose turns have less to spare at the end. */
    private static int leastIdle(int share, int depth, int other) {
      return Math.ceilDiv(share, other) * other < Math.ceilDiv(share, depth) * depth ? other : depth;
    }
  }

  /** {@code few_rows.cu} for one shape. */
  private static final class Kernel {
    private static final int WARP = 32;

    private final Shape shape;
    private final CudaModule.Kernel kernel;

    Kernel(Shape shape) {
      this.shape = shape;
      kernel = KernelText
          .compile("few_rows", Dtype.BF16, packet(false), "IN_BYTES=" + (shape.bytes ? 1 : 0), "GATED=" + (shape.gated ? 1 : 0),
              "WIDE_OUT=" + (shape.result == Dtype.F32 ? 1 : 0), "ROWS=" + shape.rows, "TILES=" + shape.tiles, "WARPS=" + shape.warps,
              "SPLITS=" + shape.splits, "DEPTH=" + shape.depth)
          .kernel("few_rows", 0);
    }

    void run(Tensor x, Tensor weight, Tensor out, int in, int outs, int rows) {
      kernel.launchEarly(Math.ceilDiv(outs, TILE * shape.tiles) * shape.splits, shape.warps * WARP, CudaModule.argument(x),
          CudaModule.argument(weight), CudaModule.argument(out), in, weight.size(1) * weight.element_size(), outs, rows);
    }
  }
}
