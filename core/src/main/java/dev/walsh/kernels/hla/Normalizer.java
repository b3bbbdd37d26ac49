package dev.walsh.kernels.hla;

/** What makes the sum of the weighted values independent of the number and the scale of the weights. */
public enum Normalizer {
  /** The sum of the weights, as in softmax: weights must not be negative. */
  SUM,
  /** The root of the output's mean square: any weights, at the price of an output whose length says nothing. */
  RMS
}
