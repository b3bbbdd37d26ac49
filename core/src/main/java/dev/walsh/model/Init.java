package dev.walsh.model;

/** The deviations of initial weights: GPT-2's rule, and what it means for a projection without a matrix. */
final class Init {
  /** The deviation of every matrix that does not write into the residual stream. */
  static final double DEVIATION = 0.02;

  private Init() {}

  /** The deviation of a matrix that writes into the residual stream, which 2L branches add up in. */
  static double residual(int layers) {
    return DEVIATION / Math.sqrt(2.0 * layers);
  }

  /**
   * The gain of a fixed orthonormal map in place of such a matrix: a matrix of independent entries of deviation s stretches a vector by s√d,
   * an orthonormal map by 1, so alpha carries the difference.
   */
  static double alpha(int width, int layers) {
    return residual(layers) * Math.sqrt(width);
  }
}
