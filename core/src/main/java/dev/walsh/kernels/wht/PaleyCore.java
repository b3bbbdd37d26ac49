package dev.walsh.kernels.wht;

import java.util.Arrays;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The signs of Paley's Hadamard matrix P_m, computed from a table of the quadratic character chi of a field of q elements, q prime.
 *
 * <p>First construction (q = m − 1 ≡ 3 mod 4): P = I + S with S = [[0, 1ᵀ], [−1, Q]], Q_ij = chi(j − i); S is skew, so P is not
 * symmetric. Second construction (q = m/2 − 1 ≡ 1 mod 4): C = [[0, 1ᵀ], [1, Q]] and P = C ⊗ [[1, 1], [1, −1]] + I ⊗ [[1, −1], [−1, −1]],
 * which is symmetric. The second works for the square of an odd prime as well, in the field of pairs a + b√n,
 * n no square modulo p, where z is a square if and only if its norm a² − n·b² is one modulo p; only the {@linkplain #symmetric symmetric
 * variant} uses that. (R. E. A. C. Paley, "On orthogonal matrices", J. Math. Phys. 12, 1933.)
 */
final class PaleyCore {
  private static final ConcurrentHashMap<Integer, PaleyCore> CONVENTION = new ConcurrentHashMap<>();
  private static final ConcurrentHashMap<Integer, PaleyCore> SYMMETRIC = new ConcurrentHashMap<>();

  private final boolean first;

  /** The prime of which q is the first or second power. */
  private final int prime;

  /** chi(a + b√n) at a + b·prime. */
  private final byte[] chi;

  private PaleyCore(int order, boolean first) {
    this.first = first;
    int q = first ? order - 1 : order / 2 - 1;
    prime = isPrime(q) ? q : root(q);
    chi = character(q, prime);
  }

  /** The core of walsh's convention, of an order for which {@link #isFirst} or {@link #isSecond} holds; the same object each time. */
  static PaleyCore of(int order) {
    if (!isFirst(order) && !isSecond(order)) {
      throw new IllegalArgumentException("no Paley matrix of order " + order);
    }
    return CONVENTION.computeIfAbsent(order, m -> new PaleyCore(m, isFirst(m)));
  }

  /** The core of the second construction, of an order for which {@link #isSymmetric} holds; the same object each time. */
  static PaleyCore symmetric(int order) {
    if (!isSymmetric(order)) {
      throw new IllegalArgumentException("no symmetric Paley matrix of order " + order);
    }
    return SYMMETRIC.computeIfAbsent(order, m -> new PaleyCore(m, false));
  }

  /** Whether this is the first construction, whose matrix is not symmetric. */
  boolean isFirst() {
    return first;
  }

  static boolean isFirst(int order) {
    return order % 4 == 0 && isPrime(order - 1);
  }

  static boolean isSecond(int order) {
    return order % 4 == 0 && (order / 2 - 1) % 4 == 1 && isPrime(order / 2 - 1);
  }

  static boolean isSymmetric(int order) {
    int q = order / 2 - 1;
    return order % 4 == 0 && q % 4 == 1 && (isPrime(q) || q > 1 && isPrime(root(q)));
  }

  /** The entry of row {@code i} and column {@code j}, +1 or −1. */
  int sign(int i, int j) {
    if (first) {
      return i == 0 || i == j ? 1 : j == 0 ? -1 : chi(i - 1, j - 1);
    }
    int hi = i >> 1;
    int hj = j >> 1;
    int lows = (i & 1) + (j & 1);
    if (hi == hj) {
      return lows == 0 ? 1 : -1;
    }
    int sylvester = lows == 2 ? -1 : 1;
    return hi == 0 || hj == 0 ? sylvester : chi(hi - 1, hj - 1) * sylvester;
  }

  /** The character of the difference of two elements of the field. */
  private int chi(int from, int to) {
    int a = to % prime - from % prime;
    int b = to / prime - from / prime;
    return chi[(a < 0 ? a + prime : a) + prime * (b < 0 ? b + prime : b)];
  }

  private static byte[] character(int q, int prime) {
    var legendre = new byte[prime];
    Arrays.fill(legendre, (byte) -1);
    legendre[0] = 0;
    for (long x = 1; x <= prime / 2; x++) {
      legendre[(int) (x * x % prime)] = 1;
    }
    if (q == prime) {
      return legendre;
    }
    int n = 2;
    while (legendre[n] == 1) {
      n++;
    }
    var chi = new byte[q];
    for (int z = 0; z < q; z++) {
      long a = z % prime;
      long b = z / prime;
      chi[z] = legendre[(int) Math.floorMod(a * a - n * b * b, (long) prime)];
    }
    return chi;
  }

  /** The integer square root, or 1 where there is none. */
  private static int root(int q) {
    int root = (int) Math.sqrt(q);
    return root * root == q ? root : 1;
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
