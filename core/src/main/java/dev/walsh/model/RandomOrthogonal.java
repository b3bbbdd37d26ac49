package dev.walsh.model;

import dev.walsh.kernels.nn.Linear;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.Tensor;

/** A fixed orthogonal matrix without structure, {@link HaarMatrix}: the same in every layer, which share one tensor, and in every model. */
final class RandomOrthogonal implements Mix {
  private final int width;
  private final Tensor weight;

  RandomOrthogonal(int width, Weights.Path path) {
    this.width = width;
    weight = path.shared("orthogonal", () -> HaarMatrix.of(width), width, width);
  }

  @Override
  public Tensor apply(Tensor y) {
    return Linear.plain(y, weight);
  }

  /** On the GPU the product belongs to the join. */
  @Override
  public Tensor beforeJoin(Tensor y) {
    return weight.is_cuda() ? y : apply(y);
  }

  @Override
  public FusedJoin cudaJoin(int width, boolean alpha, boolean beta, Dtype dtype) {
    return new CudaProductJoin(weight, CudaJoin.identity(width, alpha, beta, dtype), !alpha && !beta);
  }

  /** One product forward and one backward, whose input need not be kept, since the matrix has no gradient. */
  @Override
  public Cost cost() {
    double product = 2.0 * width * width;
    return new Cost(0, product, product, 0, 0);
  }
}
