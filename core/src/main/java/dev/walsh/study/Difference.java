package dev.walsh.study;

import java.util.stream.IntStream;
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

  static Difference of(ArmResult arm, ArmResult baseline, @Nullable Noise noise) {
    var differences = IntStream.range(0, arm.seeds().size())
        .mapToDouble(s -> arm.seeds().get(s).validationLoss() - baseline.seeds().get(s).validationLoss()).toArray();
    var interval = Interval.of(differences);
    double halfWidth = interval.isKnown() ? interval.halfWidth() : known(noise, arm.name());
    return new Difference(interval.mean(), halfWidth, interval.spread(), finding(interval.mean(), halfWidth));
  }

  private static double known(@Nullable Noise noise, String arm) {
    var spread = noise == null ? null : noise.spread().get(arm);
    return spread == null ? Double.NaN : 2 * spread;
  }

  private static Finding finding(double mean, double halfWidth) {
    if (Double.isNaN(mean) || Double.isNaN(halfWidth)) return Finding.UNKNOWN;
    if (Math.abs(mean) <= halfWidth) return Finding.NONE;
    return mean < 0 ? Finding.LOWER : Finding.HIGHER;
  }
}
