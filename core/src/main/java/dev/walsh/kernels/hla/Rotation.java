package dev.walsh.kernels.hla;

/** Where RoPE turns queries and keys. */
public enum Rotation {
  /** Nowhere. */
  NONE,
  /** Before the feature maps: queries and keys arrive rotated. */
  BEFORE,
  /** The features, in the numerator alone: rotated features make negative weights, so the denominator sums those of unrotated ones. */
  AFTER
}
