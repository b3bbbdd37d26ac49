package dev.walsh.kernels.hla;

/** On which side of its products the state takes the factors after the first: the same sums in another order. */
public enum Modulation {
  /** On the features: fewer operations where a factor has fewer features than there are values. */
  FEATURES,
  /** On the values: a linear attention of the first factor for each feature of the others. */
  VALUES
}
