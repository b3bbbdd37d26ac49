package dev.walsh.model;

import dev.walsh.kernels.nn.Linear;
import org.bytedeco.pytorch.Tensor;

/**
 * A matrix and its join on the GPU. Where it is trained, the product adds the residual as it writes, and what is left is the norm:
 * a matrix less to write and to read. What it is applied to is the product's input.
 */
final class CudaProductJoin implements FusedJoin {
  private final Tensor weight;
  private final CudaJoin join;
  private final boolean bare;

  /**
   * @param join without a transform
   * @param bare whether neither alpha nor beta stands between the product and the residual
   */
  CudaProductJoin(Tensor weight, CudaJoin join, boolean bare) {
    this.weight = weight;
    this.join = join;
    this.bare = bare;
  }

  /** o: (B,T,in), x: (B,T,C), alpha, beta, gain: (C) -> twice (B,T,C). */
  @Override
  public Joined apply(Tensor o, Tensor x, Tensor alpha, Tensor beta, Tensor gain) {
    if (bare && Linear.isOurs(o, weight)) return join.norm(Linear.onto(x, o, weight), gain);
    return join.apply(Linear.apply(o, weight), x, alpha, beta, gain);
  }
}
