package dev.walsh.model;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * The fixed orthogonal matrix of each order, drawn once and for all from Haar's measure: the Q of a matrix of independent normal numbers
 * whose R has a positive diagonal (Stewart 1980, "The Efficient Generation of Random Orthogonal Matrices"). What Householder's reflections
 * leave of such a matrix is again one, so Q = H_0 H_1 … H_(n−2) D, H_k reflecting a fresh normal vector of n − k elements onto an axis and D
 * holding the signs of R's diagonal; the matrix itself is never made. Sums run in one order, in plain Java: no library can change a bit.
 */
final class HaarMatrix {
  /** Another seed would be another model under every checkpoint of this projection. */
  private static final long SEED = 0x48616172; // "Haar"
  /** Columns that are worked on together, so that they stay in cache; on as many cores as there are. */
  private static final int STRIPE = 256;

  private HaarMatrix() {}

  /** Row-major of shape (n, n), in (4/3) n³ operations. */
  static double[] of(int n) {
    var random = new CounterRandom(SEED);
    var signs = new double[n];
    signs[n - 1] = random.normal(0) < 0 ? -1 : 1;
    var reflections = new Reflection[n - 1];
    long drawn = 1;
    for (int k = n - 2; k >= 0; k--) {
      var x = new double[n - k];
      for (int i = 0; i < x.length; i++) x[i] = random.normal(drawn++);
      // R's diagonal has what x[0] is reflected to: the norm of x with the other sign.
      signs[k] = x[0] < 0 ? 1 : -1;
      reflections[k] = Reflection.ontoAxis(x);
    }
    var q = new double[Math.multiplyExact(n, n)];
    IntStream.range(0, Math.ceilDiv(n, STRIPE)).parallel().forEach(s -> {
      int from = s * STRIPE;
      int to = Math.min(n, from + STRIPE);
      var stripe = stripe(reflections, signs, from, to);
      for (int i = 0; i < n; i++) System.arraycopy(stripe, i * (to - from), q, i * n + from, to - from);
    });
    return q;
  }

  /** Columns of Q, row-major: they do not know of each other. */
  private static double[] stripe(Reflection[] reflections, double[] signs, int from, int to) {
    int width = to - from;
    var columns = new double[signs.length * width];
    for (int j = from; j < to; j++) columns[j * width + j - from] = signs[j];
    var projection = new double[width];
    // A column is zero below the axis that it began on, where later reflections act.
    for (int k = Math.min(to, reflections.length) - 1; k >= 0; k--) reflections[k].apply(columns, k, projection);
    return columns;
  }

  /** I − v vᵀ / half, half being |v|²/2. */
  private record Reflection(double[] v, double half) {
    /** Of x onto its first axis, away from where it points; takes {@code x} over. */
    static Reflection ontoAxis(double[] x) {
      double squares = 0;
      for (double value : x) squares += value * value;
      double norm = Math.copySign(Math.sqrt(squares), x[0]);
      double half = squares + norm * x[0];
      x[0] += norm;
      return new Reflection(x, half);
    }

    /** Reflects columns, of which it acts on the rows from {@code k} on. */
    void apply(double[] columns, int k, double[] projection) {
      int width = projection.length;
      Arrays.fill(projection, 0);
      for (int i = 0; i < v.length; i++) {
        double factor = v[i] / half;
        int row = (k + i) * width;
        for (int j = 0; j < width; j++) projection[j] += factor * columns[row + j];
      }
      for (int i = 0; i < v.length; i++) {
        double factor = v[i];
        int row = (k + i) * width;
        for (int j = 0; j < width; j++) columns[row + j] -= factor * projection[j];
      }
    }
  }
}
