package dev.walsh.study;

import java.util.stream.IntStream;
import org.apache.commons.statistics.distribution.TDistribution;
import org.jspecify.annotations.Nullable;

/**
 * The difference of an arm's validation loss to the baseline's, paired seed by seed, and what it shows.
 *
 * @param mean over the seeds, in nats a token
 * @param halfWidth what the mean must exceed to be told from zero: twice the known spread for one seed, half of the 95% t-interval for
 *     several; NaN where neither is known
 * @param spread the standard deviation over the seeds; NaN for one
 * @param finding what follows
 */
record Difference(double mean, double halfWidth, double spread, Finding finding) {
  /** What a difference shows. */
  enum Finding {
    LOWER, HIGHER, NONE, UNKNOWN
  }

  private static final double CONFIDENCE = 0.95;

  static Difference of(ArmResult arm, ArmResult baseline, @Nullable Noise noise) {
    var differences = IntStream.range(0, arm.seeds().size())
        .mapToDouble(s -> arm.seeds().get(s).validationLoss() - baseline.seeds().get(s).validationLoss()).toArray();
    double mean = IntStream.range(0, differences.length).mapToDouble(s -> differences[s]).average().orElse(Double.NaN);
    double spread = spread(differences, mean);
    double halfWidth = differences.length > 1 ? interval(spread, differences.length) : known(noise, arm.name());
    return new Difference(mean, halfWidth, spread, finding(mean, halfWidth));
  }

  private static double known(@Nullable Noise noise, String arm) {
    var spread = noise == null ? null : noise.spread().get(arm);
    return spread == null ? Double.NaN : 2 * spread;
  }

  private static double interval(double spread, int seeds) {
    return TDistribution.of(seeds - 1).inverseCumulativeProbability((1 + CONFIDENCE) / 2) * spread / Math.sqrt(seeds);
  }

  private static double spread(double[] values, double mean) {
    double squares = 0;
    for (double v : values) squares += (v - mean) * (v - mean);
    return values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : Double.NaN;
  }

  private static Finding finding(double mean, double halfWidth) {
    if (Double.isNaN(mean) || Double.isNaN(halfWidth)) return Finding.UNKNOWN;
    if (Math.abs(mean) <= halfWidth) return Finding.NONE;
    return mean < 0 ? Finding.LOWER : Finding.HIGHER;
  }
}
