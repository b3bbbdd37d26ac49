package dev.walsh.kernels.wht;

import dev.walsh.config.UserError;

/**
 * The order of a Hadamard matrix that walsh can build, factored as {@code order = core · 2^log2}: the matrix is P_core ⊗ S_(2^log2).
 *
 * <p>S is Sylvester's matrix in natural order. The core is 1, or an odd number times 4 that Paley's first construction gives (core − 1 is
 * a prime ≡ 3 mod 4), or else his second (core/2 − 1 is a prime ≡ 1 mod 4): 12, 20, 28, 36, 44, 60, 68, 76, 84 and so on. The
 * factorisation of an order is unique, so an order means one matrix for ever.
 *
 * @param order the number of rows and columns, d
 * @param core the order of the Paley factor, 1 where there is none
 * @param log2 the binary logarithm of the order of the Sylvester factor
 */
public record HadamardOrder(int order, int core, int log2) {
  /** The largest order that {@link #of} takes. */
  public static final int MAX = 1 << 24;

  public HadamardOrder {
    if (order < 1 || order > MAX || core < 1 || core != coreOf(order) || log2 != Integer.numberOfTrailingZeros(order / core)) {
      throw new UserError("No Hadamard matrix of order " + order + " with core " + core + " and log2 " + log2
          + " belongs to walsh's convention, so the record is damaged or of another program: use the factors that walsh wrote.");
    }
  }

  /**
   * The factorisation of {@code d}.
   *
   * @throws UserError where no matrix of order {@code d} is known; the message names the nearest supported orders below and above
   */
  public static HadamardOrder of(int d) {
    if (!isSupported(d)) {
      throw new UserError("There is no Hadamard matrix of order " + d + " here: use " + neighbours(d) + ".");
    }
    int core = coreOf(d);
    return new HadamardOrder(d, core, Integer.numberOfTrailingZeros(d / core));
  }

  /** Whether {@link #of} knows a matrix of order {@code d}; false for zero and negative numbers. */
  public static boolean isSupported(int d) {
    return d >= 1 && d <= MAX && coreOf(d) != 0;
  }

  /** One line for people: {@code 768 = 12 · 2^6: Paley I of order 12 ⊗ Sylvester of order 64}. */
  public String explain() {
    var sylvester = "Sylvester of order " + (1 << log2);
    if (core == 1) {
      return order + " = 2^" + log2 + ": " + sylvester;
    }
    var paley = (PaleyCore.isFirst(core) ? "Paley I of order " : "Paley II of order ") + core;
    return log2 == 0 ? order + ": " + paley : order + " = " + core + " · 2^" + log2 + ": " + paley + " ⊗ " + sylvester;
  }

  /** The core of the matrix of order {@code d >= 1}, or 0 where the rule gives none. */
  private static int coreOf(int d) {
    int odd = d >> Integer.numberOfTrailingZeros(d);
    if (odd == 1) {
      return 1;
    }
    int core = 4 * odd;
    return d % core == 0 && (PaleyCore.isFirst(core) || PaleyCore.isSecond(core)) ? core : 0;
  }

  private static String neighbours(int d) {
    int below = Math.min(d, MAX + 1) - 1;
    while (below >= 1 && !isSupported(below)) {
      below--;
    }
    int above = Math.clamp(d, 0, MAX) + 1;
    while (above <= MAX && !isSupported(above)) {
      above++;
    }
    if (below < 1) {
      return String.valueOf(above);
    }
    return above > MAX ? String.valueOf(below) : below + " or " + above;
  }
}
