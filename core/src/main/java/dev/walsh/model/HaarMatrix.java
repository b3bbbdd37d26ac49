package dev.walsh.model;

/**
 * The fixed orthogonal matrix of each order, drawn once and for all from Haar's measure: the Q of a matrix of independent normal numbers
 * whose R has a positive diagonal (Stewart 1980, "The Efficient Generation of Random Orthogonal Matrices"). What Householder's reflections
 * leave of such a matrix is again one, so Q = H_0 H_1 … H_(n−2) D, H_k reflecting a fresh normal vector of n − k elements onto an axis and D
 * holding the signs of R's diagonal; the matrix itself is never made. Sums run in one order, in plain Java: no library can change a bit.
 */
final class HaarMatrix {
  /** Another seed would be another model under every checkpoint of this projection. */
  private static final long SEED = 0x48616172; // "Haar"

  private HaarMatrix() {}

  /** Row-major of shape (n, n), in (4/3) n³ operations. */
  static double[] of(int n) {
    var random = new CounterRandom(SEED);
    var q = new double[Math.multiplyExact(n, n)];
    q[n * n - 1] = random.normal(0) < 0 ? -1 : 1;
    var v = new double[n];
    var projection = new double[n];
    long drawn = 1;
    for (int k = n - 2; k >= 0; k--) {
      double squares = 0;
      for (int i = k; i < n; i++) {
        v[i] = random.normal(drawn++);
        squares += v[i] * v[i];
      }
      double norm = Math.copySign(Math.sqrt(squares), v[k]);
      // R's diagonal has −norm, and v reflects the vector onto it.
      q[k * n + k] = norm > 0 ? -1 : 1;
      double half = squares + norm * v[k];
      v[k] += norm;
      reflect(q, n, k, v, half, projection);
    }
    return q;
  }

  /** Rows and columns from {@code k} on of (I − v vᵀ / half) Q, half being |v|²/2. */
  private static void reflect(double[] q, int n, int k, double[] v, double half, double[] projection) {
    for (int j = k; j < n; j++) projection[j] = 0;
    for (int i = k; i < n; i++) {
      double factor = v[i] / half;
      int row = i * n;
      for (int j = k; j < n; j++) projection[j] += factor * q[row + j];
    }
    for (int i = k; i < n; i++) {
      double factor = v[i];
      int row = i * n;
      for (int j = k; j < n; j++) q[row + j] -= factor * projection[j];
    }
  }
}
