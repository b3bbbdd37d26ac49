package dev.walsh.study.findings;

import dev.walsh.study.Interval;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The difference between an arm's loss and another's while both train, paired seed by seed.
 *
 * @param points where both were validated, in rising order of tokens
 */
record Gap(String arm, List<Point> points) {
  /**
   * The differences after so many tokens, in nats a token.
   *
   * @param seeds that of each seed, in rising order of the seeds
   */
  record Point(double tokens, List<Double> seeds) {
    Interval difference() {
      return Interval.of(seeds.stream().mapToDouble(v -> v).toArray());
    }

    boolean excludesZero() {
      var difference = difference();
      return Math.abs(difference.mean()) > difference.halfWidth();
    }
  }

  /**
   * Where the gap changed its sign for the last time.
   *
   * @param tokens between two validations, by a straight line over the logarithm
   * @param isProven whether the gap's interval excludes zero on either side of it: at some validation before, and at the last
   */
  record Crossing(double tokens, boolean isProven) {}

  static Gap of(Setting setting, String arm, String baseline) {
    var pairs = new ArrayList<List<Curve>>();
    for (int seed : Paired.commonSeeds(setting, arm, baseline)) {
      var run = setting.run(arm, seed);
      var other = setting.run(baseline, seed);
      if (run == null || other == null || run.isDiverged() || other.isDiverged()) continue;
      pairs.add(List.of(Curve.of(run, Budget.TOKENS), Curve.of(other, Budget.TOKENS)));
    }
    var points = new ArrayList<Point>();
    for (var at : pairs.isEmpty() ? List.<Curve.Point>of() : pairs.getFirst().getFirst().points()) {
      points
          .add(new Point(at.spent(), pairs.stream().map(pair -> pair.getFirst().at(at.spent()) - pair.getLast().at(at.spent())).toList()));
    }
    return new Gap(arm, points);
  }

  /** The last change of sign; null where there is none. */
  @Nullable
  Crossing crossing() {
    for (int i = points.size() - 1; i > 0; i--) {
      var after = points.get(i);
      var before = points.get(i - 1);
      double a = before.difference().mean();
      double b = after.difference().mean();
      if (a * b < 0) {
        double share = a / (a - b);
        double tokens = Math.exp(Math.log(before.tokens) + share * Math.log(after.tokens / before.tokens));
        boolean proven = points.getLast().excludesZero() && points.subList(0, i).stream()
            .anyMatch(p -> p.excludesZero() && Math.signum(p.difference().mean()) == Math.signum(a));
        return new Crossing(tokens, proven);
      }
    }
    return null;
  }
}
