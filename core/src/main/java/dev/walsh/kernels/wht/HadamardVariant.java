package dev.walsh.kernels.wht;

import dev.walsh.config.UserError;

/**
 * Which of the Hadamard matrices of an order a transform multiplies by. A model's is always {@link #NATURAL}, the frozen convention; the
 * others are options of the stand-alone transform.
 */
public enum HadamardVariant {
  /** Paley's first construction where it applies, else his second; Sylvester's matrix in natural order. */
  NATURAL,

  /**
   * Walsh's order: row i of the orders that are powers of two changes its sign i times, as the i-th of d sines and cosines would. It is the
   * natural matrix with its rows permuted, and symmetric too.
   */
  SEQUENCY,

  /** Symmetric, so that it is its own inverse where it is orthonormal: Paley's second construction in all its cores. */
  SYMMETRIC;

  /** Whether the order has a matrix of this kind. */
  public boolean exists(HadamardOrder order) {
    return switch (this) {
      case NATURAL -> true;
      case SEQUENCY -> order.core() == 1;
      case SYMMETRIC -> order.core() == 1 || PaleyCore.isSymmetric(order.core());
    };
  }

  /**
   * Checks that every factor has a matrix of this kind.
   *
   * @throws UserError naming the nearest orders that have one
   */
  void check(HadamardFactors factors) {
    for (var factor : factors.factors()) {
      if (!exists(factor)) {
        throw new UserError(
            "There is no " + (this == SEQUENCY ? "Walsh matrix in sequency order" : "symmetric Hadamard matrix") + " of order "
                + factor.order() + " here: use order " + nearest(factor.order(), -1) + " or " + nearest(factor.order(), 1)
                + (this == SEQUENCY ? ", a power of two," : "") + " or the natural matrix.");
      }
    }
  }

  private int nearest(int order, int step) {
    int d = order + step;
    while (!HadamardOrder.isSupported(d) || !exists(HadamardOrder.of(d))) {
      d += step;
    }
    return d;
  }

  /** Where row {@code i} of the matrix in sequency order lies in the natural matrix of order 2^log2: its Gray code, bits reversed. */
  static int naturalRow(int i, int log2) {
    return log2 == 0 ? 0 : Integer.reverse(i ^ i >>> 1) >>> Integer.SIZE - log2;
  }
}
