package dev.walsh.study.findings;

import dev.walsh.study.PowerLaw;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Power laws L = a · C^b of the loss against training compute over sizes, an arm each. Seeds are drawn with replacement, the same ones for
 * all arms of a size, and every law fitted again: the middle 95% of the fits are the intervals.
 */
final class ScalingLaws {
  /** Sizes that a law needs: through two points there is always a line. */
  static final int LEAST_SIZES = 3;
  private static final int RESAMPLES = 2000;
  private static final long SEED = 1;

  /** From low to high; NaN where no size has two seeds. */
  record Bounds(double low, double high) {}

  /**
   * An arm's law.
   *
   * @param points compute and loss of each run
   * @param exponent bounds of the exponent
   * @param coefficient bounds of the coefficient, the loss at one operation
   */
  record Law(String arm, List<PowerLaw.Point> points, PowerLaw law, Bounds exponent, Bounds coefficient) {}

  private final Map<String, List<List<Run>>> runs = new LinkedHashMap<>();
  private final Map<String, Law> laws = new LinkedHashMap<>();
  private final Map<String, double[]> exponents = new LinkedHashMap<>();

  private ScalingLaws() {}

  /** The laws of all arms that have runs of enough sizes. */
  static ScalingLaws of(List<Setting> settings) {
    var all = new ScalingLaws();
    var arms = new LinkedHashSet<String>();
    for (var setting : settings) arms.addAll(setting.arms().keySet());
    for (var arm : arms) {
      var ofArm = settings.stream().map(s -> s.runs(arm).stream().filter(run -> !run.isDiverged()).toList()).toList();
      long sizes = settings.stream().filter(s -> s.runs(arm).stream().anyMatch(run -> !run.isDiverged())).map(Setting::shape).distinct()
          .count();
      if (sizes >= LEAST_SIZES) all.runs.put(arm, ofArm);
    }
    all.fit(settings.size());
    return all;
  }

  private void fit(int settings) {
    var coefficients = new LinkedHashMap<String, double[]>();
    for (var arm : runs.keySet()) {
      exponents.put(arm, new double[RESAMPLES]);
      coefficients.put(arm, new double[RESAMPLES]);
    }
    var random = new SplittableRandom(SEED);
    for (int i = 0; i < RESAMPLES; i++) {
      var draws = new double[settings][];
      for (int s = 0; s < settings; s++) draws[s] = random.doubles(most(s)).toArray();
      for (var arm : runs.entrySet()) {
        var law = PowerLaw.fit(drawn(arm.getValue(), draws));
        of(exponents, arm.getKey())[i] = law.exponent();
        of(coefficients, arm.getKey())[i] = law.coefficient();
      }
    }
    runs.forEach((arm, of) -> {
      var points = of.stream().flatMap(List::stream).map(ScalingLaws::point).toList();
      boolean repeated = of.stream().anyMatch(list -> list.size() > 1);
      laws.put(arm, new Law(arm, points, PowerLaw.fit(points), bounds(of(exponents, arm), repeated), bounds(of(coefficients, arm),
          repeated)));
    });
  }

  private static double[] of(Map<String, double[]> values, String arm) {
    return values.getOrDefault(arm, new double[0]);
  }

  /** The most runs of any arm in a setting. */
  private int most(int setting) {
    return runs.values().stream().mapToInt(of -> of.get(setting).size()).max().orElse(0);
  }

  private static List<PowerLaw.Point> drawn(List<List<Run>> of, double[][] draws) {
    var points = new ArrayList<PowerLaw.Point>();
    for (int s = 0; s < of.size(); s++) {
      var available = of.get(s);
      for (int i = 0; i < available.size(); i++) points.add(point(available.get((int) (draws[s][i] * available.size()))));
    }
    return points;
  }

  private static PowerLaw.Point point(Run run) {
    return new PowerLaw.Point(run.record().training().tokens() * run.record().sizes().flopsAToken(), run.record().loss());
  }

  private static Bounds bounds(double[] values, boolean repeated) {
    if (!repeated) return new Bounds(Double.NaN, Double.NaN);
    var sorted = values.clone();
    Arrays.sort(sorted);
    return new Bounds(sorted[(int) (0.025 * (sorted.length - 1))], sorted[(int) Math.ceil(0.975 * (sorted.length - 1))]);
  }

  /** In the order of the plan's arms; empty where none has runs of enough sizes. */
  List<Law> laws() {
    return List.copyOf(laws.values());
  }

  /** The bounds of the difference between two arms' exponents, over the same draws of seeds; NaN where one was not fitted. */
  Bounds difference(String arm, String baseline) {
    var of = of(exponents, arm);
    var base = of(exponents, baseline);
    if (of.length == 0 || base.length == 0) return new Bounds(Double.NaN, Double.NaN);
    var differences = new double[RESAMPLES];
    for (int i = 0; i < RESAMPLES; i++) differences[i] = of[i] - base[i];
    return bounds(differences, laws.values().stream().noneMatch(law -> Double.isNaN(law.exponent.low)));
  }
}
