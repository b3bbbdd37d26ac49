package dev.walsh.model;

import dev.walsh.kernels.wht.HadamardFactors;
import dev.walsh.kernels.wht.HadamardOrder;
import dev.walsh.kernels.wht.Wht;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Sylvester's transform of the next power of two n, of rows filled up with zeros and cut off again, for widths d that are no power of two.
 * Its matrix is the corner of H_n, so it loses the part of a row's energy that lands in the n − d channels beyond: singular values are 1
 * and 1/2 at 768, 1 and 1/√2 and 1/√8 at 2560.
 */
final class PaddedHadamard implements Mix {
  private final int width;
  private final HadamardFactors factors;
  private final Tensor left;
  private final Tensor right;

  PaddedHadamard(int width, Weights.Path path) {
    this.width = width;
    factors = HadamardFactors.of(order(width));
    var split = factors.split();
    left = path.fixed(split.left().dense(), split.left().order(), split.left().order());
    right = path.fixed(split.right().dense(), split.right().order(), split.right().order());
  }

  /** The least power of two that is not less than the width. */
  static HadamardOrder order(int width) {
    return HadamardOrder.of(width == 1 ? 1 : Integer.highestOneBit(width - 1) * 2);
  }

  /** Whether nothing is padded at a width. */
  static boolean isWhole(int width) {
    return Integer.bitCount(width) == 1;
  }

  @Override
  public Tensor apply(Tensor y) {
    var padded = torch.constant_pad_nd(y, 0, factors.order() - width);
    return Mix.kronecker(padded, left, right).narrow(-1, 0, width);
  }

  /** The transform belongs to the join. */
  @Override
  public Tensor beforeJoin(Tensor y) {
    return y;
  }

  @Override
  public FusedJoin cpuJoin(int width) {
    var transform = Wht.create(factors, 1 / Math.sqrt(factors.order()), Device.threads());
    return new PaddedJoin(transform, width, CpuJoin.identity(width));
  }

  @Override
  public FusedJoin cudaJoin(int width, boolean alpha, boolean beta, Dtype dtype) {
    // The join first: where no kernel can be compiled, it is the one that says so.
    var join = CudaJoin.identity(width, alpha, beta, dtype);
    return new PaddedJoin(Wht.create(factors, Device.CUDA), width, join);
  }

  /** Forward and backward alike: rows are copied into longer ones, transformed there and copied back. */
  @Override
  public Cost cost() {
    double order = factors.order();
    double additions = factors.factors().getFirst().log2() * order;
    return new Cost(0, additions, additions, 0, 2 * (3 * order + 3.0 * width));
  }
}
