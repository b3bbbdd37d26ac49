package dev.walsh.model;

/** What a model computes with where there is a choice. */
public enum Kernels {
  /** Our own kernels, where there is one for the device and the dtype. */
  FUSED,
  /**
   * The same, and what is cheap to compute again in backward has no memory until then: the outputs of SwiGLU and of the norms before it and
   * before attention. The results are the same to the last bit.
   */
  RECOMPUTING,
  /** libtorch's operators alone: what the kernels are held against. */
  PLAIN
}
