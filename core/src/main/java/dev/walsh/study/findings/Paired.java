package dev.walsh.study.findings;

import dev.walsh.study.Interval;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/**
 * How an arm's loss differs from another's, paired seed by seed.
 *
 * @param difference in nats a token, negative where the arm is better
 * @param diverged seeds of which one of the two has no loss, because it diverged
 */
record Paired(String arm, String baseline, Interval difference, int diverged) {
  /** At equal tokens: the losses at the end. */
  static Paired atEqualTokens(Setting setting, String arm, String baseline) {
    return of(setting, arm, baseline, (run, other) -> run.record().loss() - other.record().loss());
  }

  /**
   * At an equal budget: the cheaper of the two at its end, and the other where it had spent as much. Its learning rate had not come down
   * all the way there, which flatters the cheaper.
   */
  static Paired atEqual(Budget budget, Setting setting, String arm, String baseline) {
    return of(setting, arm, baseline, (run, other) -> {
      var curve = Curve.of(run, budget);
      var others = Curve.of(other, budget);
      double spent = Math.min(curve.end(), others.end());
      return curve.at(spent) - others.at(spent);
    });
  }

  private interface Difference {
    double of(Run run, Run other);
  }

  private static Paired of(Setting setting, String arm, String baseline, Difference difference) {
    var values = new ArrayList<Double>();
    int diverged = 0;
    for (int seed : commonSeeds(setting, arm, baseline)) {
      var run = setting.run(arm, seed);
      var other = setting.run(baseline, seed);
      if (run == null || other == null) continue;
      if (run.isDiverged() || other.isDiverged()) {
        diverged++;
      } else {
        values.add(difference.of(run, other));
      }
    }
    return new Paired(arm, baseline, Interval.of(values.stream().mapToDouble(v -> v).toArray()), diverged);
  }

  /** The seeds that both arms have run under, in rising order. */
  static List<Integer> commonSeeds(Setting setting, String arm, String baseline) {
    var seeds = new TreeSet<Integer>();
    for (var run : setting.runs(arm)) {
      if (setting.run(baseline, run.seed()) != null) seeds.add(run.seed());
    }
    return List.copyOf(seeds);
  }

  /** Whether there is a difference at all, be it without an interval. */
  boolean isKnown() {
    return difference.count() > 0;
  }
}
