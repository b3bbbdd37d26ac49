package dev.walsh.model;

import dev.walsh.kernels.nn.Linear;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.Tensor;

/**
 * A learned matrix of rank r as two: y ↦ (y Dᵀ) Uᵀ with 2dr parameters. D begins as every matrix that does not write into the residual
 * stream, U so that as much arrives there as from a dense matrix.
 */
final class LowRank implements Mix {
  private final int width;
  private final int rank;
  // (r,d) and (d,r).
  private final Tensor down;
  private final Tensor up;

  LowRank(int width, int rank, int layers, Weights.Path path) {
    this.width = width;
    this.rank = rank;
    down = path.normal("down.weight", Init.DEVIATION, rank, width);
    up = path.normal("up.weight", Init.residual(layers) / (Init.DEVIATION * Math.sqrt(rank)), width, rank);
  }

  @Override
  public Tensor apply(Tensor y) {
    return Linear.plain(Linear.plain(y, down), up);
  }

  /** On the GPU the second product belongs to the join. */
  @Override
  public Tensor beforeJoin(Tensor y) {
    var low = Linear.apply(y, down);
    return up.is_cuda() ? low : Linear.apply(low, up);
  }

  @Override
  public FusedJoin cudaJoin(int width, boolean alpha, boolean beta, Dtype dtype) {
    return new CudaProductJoin(up, CudaJoin.identity(width, alpha, beta, dtype), !alpha && !beta);
  }

  @Override
  public Cost cost() {
    return Cost.matrix(width, rank).plus(Cost.matrix(rank, width));
  }
}
