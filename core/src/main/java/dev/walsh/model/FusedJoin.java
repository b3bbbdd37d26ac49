package dev.walsh.model;

import org.bytedeco.pytorch.Tensor;

/** A join as one kernel and one node of the graph: x' = x + alpha ⊙ (y H) + beta and n = RMSNorm(x') ⊙ gain. */
sealed interface FusedJoin permits CpuJoin, CudaJoin, CudaProductJoin, PaddedJoin {
  /** y, x: (B,T,C), alpha, beta, gain: (C) -> twice (B,T,C). */
  Joined apply(Tensor y, Tensor x, Tensor alpha, Tensor beta, Tensor gain);
}
