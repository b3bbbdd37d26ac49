package dev.walsh.measure;

import java.util.Arrays;

/**
 * How many times faster one thing is than another that took turns with it: the median over rounds of the quotient of their times, and an
 * interval that holds the true median with 95% confidence, whatever the distribution (order statistics, Conover 1999, section 3.2).
 *
 * @param median above 1 where the first was slower
 * @param low NaN where the rounds are too few to say
 * @param high NaN likewise
 */
public record PairedRatio(double median, double low, double high) {
  private static final double CONFIDENCE = 0.95;

  /** Of the times of both in each round. */
  public static PairedRatio of(double[] first, double[] second) {
    int n = first.length;
    var ratios = new double[n];
    for (int i = 0; i < n; i++) ratios[i] = first[i] / second[i];
    Arrays.sort(ratios);
    double median = (ratios[(n - 1) / 2] + ratios[n / 2]) / 2;
    int outside = outside(n);
    return outside < 0
        ? new PairedRatio(median, Double.NaN, Double.NaN)
        : new PairedRatio(median, ratios[outside], ratios[n - 1 - outside]);
  }

  /** How many of n values may be left out at each end: the most for which a fair coin's n throws rarely show fewer heads, or −1. */
  private static int outside(int n) {
    double probability = Math.pow(0.5, n);
    double below = 0;
    int k = -1;
    for (int heads = 0; below + probability <= (1 - CONFIDENCE) / 2; heads++) {
      below += probability;
      probability *= (n - heads) / (heads + 1.0);
      k = heads;
    }
    return k;
  }
}
