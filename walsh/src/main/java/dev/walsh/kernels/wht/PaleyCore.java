package dev.walsh.kernels.wht;

import java.util.Arrays;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The signs of Paley's Hadamard matrix P_m, computed from a table of the quadratic character chi modulo a prime q.
 *
 * <p>First construction (q = m − 1 ≡ 3 mod 4): P = I + S with S = [[0, 1ᵀ], [−1, Q]], Q_ij = chi(j − i); S is skew, so P is not
 * symmetric. Second construction (q = m/2 − 1 ≡ 1 mod 4): C = [[0, 1ᵀ], [1, Q]] and P = C ⊗ [[1, 1], [1, −1]] + I ⊗ [[1, −1], [−1, −1]],
 * which is symmetric. (R. E. A. C. Paley, "On orthogonal matrices", J. Math. Phys. 12, 1933.)
 */
final class PaleyCore {
  private static final ConcurrentHashMap<Integer, PaleyCore> CACHE = new ConcurrentHashMap<>();

  private final boolean first;
  private final byte[] chi;

  private PaleyCore(int order) {
    first = isFirst(order);
    chi = character(first ? order - 1 : order / 2 - 1);
  }

  /** The core of an order for which {@link #isFirst} or {@link #isSecond} holds; the same object each time. */
  static PaleyCore of(int order) {
    if (!isFirst(order) && !isSecond(order)) {
      throw new IllegalArgumentException("no Paley matrix of order " + order);
    }
    return CACHE.computeIfAbsent(order, PaleyCore::new);
  }

  static boolean isFirst(int order) {
    return order % 4 == 0 && isPrime(order - 1);
  }

  static boolean isSecond(int order) {
    return order % 4 == 0 && (order / 2 - 1) % 4 == 1 && isPrime(order / 2 - 1);
  }

  /** The entry of row {@code i} and column {@code j}, +1 or −1. */
  int sign(int i, int j) {
    if (first) {
      return i == 0 || i == j ? 1 : j == 0 ? -1 : chi(j - i);
    }
    int hi = i >> 1;
    int hj = j >> 1;
    int lows = (i & 1) + (j & 1);
    if (hi == hj) {
      return lows == 0 ? 1 : -1;
    }
    int sylvester = lows == 2 ? -1 : 1;
    return hi == 0 || hj == 0 ? sylvester : chi(hj - hi) * sylvester;
  }

  private int chi(int difference) {
    return chi[difference < 0 ? difference + chi.length : difference];
  }

  private static byte[] character(int q) {
    var chi = new byte[q];
    Arrays.fill(chi, (byte) -1);
    chi[0] = 0;
    for (long x = 1; x <= q / 2; x++) {
      chi[(int) (x * x % q)] = 1;
    }
    return chi;
  }

  private static boolean isPrime(int n) {
    if (n < 2) {
      return false;
    }
    for (int f = 2; (long) f * f <= n; f++) {
      if (n % f == 0) {
        return false;
      }
    }
    return true;
  }
}
