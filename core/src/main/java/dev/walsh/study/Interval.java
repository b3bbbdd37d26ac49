package dev.walsh.study;

import java.util.Arrays;
import org.apache.commons.statistics.distribution.TDistribution;

/**
 * The mean of a few independent values, and how well they determine it.
 *
 * @param mean of the values; NaN for none
 * @param halfWidth half of the 95% t-interval around it; NaN for fewer than two values
 * @param spread the standard deviation of the values; NaN for fewer than two
 * @param count of the values
 */
public record Interval(double mean, double halfWidth, double spread, int count) {
  private static final double CONFIDENCE = 0.95;

  public static Interval of(double... values) {
    int n = values.length;
    double mean = Arrays.stream(values).average().orElse(Double.NaN);
    if (n < 2) return new Interval(mean, Double.NaN, Double.NaN, n);
    double squares = Arrays.stream(values).map(v -> (v - mean) * (v - mean)).sum();
    double spread = Math.sqrt(squares / (n - 1));
    return new Interval(mean, TDistribution.of(n - 1).inverseCumulativeProbability((1 + CONFIDENCE) / 2) * spread / Math.sqrt(n), spread,
        n);
  }

  public double low() {
    return mean - halfWidth;
  }

  public double high() {
    return mean + halfWidth;
  }

  /** Whether there are enough values for an interval. */
  public boolean isKnown() {
    return !Double.isNaN(halfWidth);
  }
}
