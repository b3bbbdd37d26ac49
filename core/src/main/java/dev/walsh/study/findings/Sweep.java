package dev.walsh.study.findings;

import dev.walsh.study.plan.Group;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A group of several learning rates.
 *
 * @param runs of each arm, in any order
 */
record Sweep(Group group, Map<String, List<Run>> runs) {
  /** How far from the best loss a learning rate still counts as good, in nats a token. */
  static final double TOLERANCE = 0.05;

  /**
   * A learning rate of an arm.
   *
   * @param loss the mean over the seeds; NaN where one of them diverged
   */
  record Rate(double learningRate, double loss) {
    boolean isDiverged() {
      return Double.isNaN(loss);
    }
  }

  /**
   * What the learning rate does to an arm.
   *
   * @param rates in rising order
   * @param best the one of the lowest loss
   * @param low the lowest of the unbroken range around the best whose losses are within {@link #TOLERANCE} of its
   * @param high the highest of that range
   * @param atEdge whether the best is the lowest or the highest that was tried, so that a better one may lie beyond
   */
  record Sensitivity(List<Rate> rates, Rate best, double low, double high, boolean atEdge) {}

  /** What the learning rate does to an arm; null where no run of it has ended well. */
  @Nullable
  Sensitivity of(String arm) {
    var losses = new TreeMap<Double, List<Double>>();
    for (var run : runs.getOrDefault(arm, List.of())) {
      losses.computeIfAbsent(run.record().training().learningRate(), _ -> new ArrayList<>()).add(run.record().loss());
    }
    var rates = losses.entrySet().stream()
        .map(e -> new Rate(e.getKey(), e.getValue().stream().mapToDouble(v -> v).average().orElse(Double.NaN))).toList();
    var best = rates.stream().filter(rate -> !rate.isDiverged()).min(Comparator.comparingDouble(Rate::loss)).orElse(null);
    if (best == null) return null;
    int at = rates.indexOf(best);
    int low = at;
    int high = at;
    while (low > 0 && rates.get(low - 1).loss <= best.loss + TOLERANCE)
      low--;
    while (high < rates.size() - 1 && rates.get(high + 1).loss <= best.loss + TOLERANCE)
      high++;
    return new Sensitivity(rates, best, rates.get(low).learningRate, rates.get(high).learningRate, at == 0 || at == rates.size() - 1);
  }
}
