package dev.walsh.model;

/** What a model computes with where there is a choice. */
public enum Kernels {
  /** Our own kernels, where there is one for the device and the dtype. */
  FUSED,
  /** libtorch's operators alone: what the kernels are held against. */
  PLAIN
}
