package dev.walsh.kernels.nn;

import org.bytedeco.pytorch.Tensor;

/** What stands between the matrix products of the head and its loss. */
sealed interface LossKernels permits CrossEntropyKernels, CpuCrossEntropy {
  /** logits: (rows,V), targets: (rows) int64, losses: (rows) float32, contiguous. The gradient of weight·Σ losses replaces the logits. */
  void gradient(Tensor logits, Tensor targets, Tensor losses, float weight);

  /** values, contiguous, times a factor: a scalar, float32, on their device. */
  void scale(Tensor values, Tensor factor);
}
