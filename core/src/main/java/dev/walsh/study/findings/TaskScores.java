package dev.walsh.study.findings;

import dev.walsh.eval.Score;
import dev.walsh.study.Arm;
import dev.walsh.study.Interval;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The accuracies of a setting's arms on one task.
 *
 * @param metric {@code acc_norm} where the task has it, else {@code acc}
 * @param items of the task
 * @param chance what guessing reaches; 0 where nothing is chosen from a list
 * @param arms those that have been evaluated
 */
record TaskScores(String task, String metric, int items, double chance, Map<String, OfArm> arms) {
  /** How many standard errors above chance dense must be before the task tells anything. */
  static final double TELLING = 3;

  private static final List<String> METRICS = List.of("acc_norm", "acc");

  TaskScores {
    arms = new LinkedHashMap<>(arms);
  }

  /**
   * What an arm reached.
   *
   * @param mean over the seeds
   * @param error one standard error over the items, which are the same for all seeds
   * @param difference to dense, paired by seed
   */
  record OfArm(double mean, double error, Interval difference) {}

  /** All tasks of a setting. */
  static List<TaskScores> of(Setting setting) {
    var names = new LinkedHashMap<String, Integer>();
    for (var runs : setting.arms().values()) {
      for (var run : runs) run.record().tasks().forEach(task -> names.put(task.task(), task.items()));
    }
    var all = new ArrayList<TaskScores>();
    names.forEach((task, items) -> {
      for (var metric : METRICS) {
        var scores = of(setting, task, metric, items);
        if (!scores.arms.isEmpty()) {
          all.add(scores);
          break;
        }
      }
    });
    return all;
  }

  private static TaskScores of(Setting setting, String task, String metric, int items) {
    var arms = new LinkedHashMap<String, OfArm>();
    double chance = 0;
    for (var arm : setting.arms().keySet()) {
      var scores = setting.runs(arm).stream().map(run -> score(run, task, metric)).filter(s -> s != null).toList();
      if (scores.isEmpty()) continue;
      for (var score : scores) chance = score.chance() == null ? chance : score.chance();
      var differences = Paired.commonSeeds(setting, arm, Arm.BASELINE).stream()
          .mapToDouble(seed -> value(setting.run(arm, seed), task, metric) - value(setting.run(Arm.BASELINE, seed), task, metric))
          .filter(Double::isFinite).toArray();
      arms.put(arm, new OfArm(scores.stream().mapToDouble(Score::value).average().orElse(Double.NaN),
          scores.stream().mapToDouble(Score::error).average().orElse(Double.NaN), Interval.of(differences)));
    }
    return new TaskScores(task, metric, items, chance, arms);
  }

  private static @Nullable Score score(@Nullable Run run, String task, String metric) {
    if (run == null) return null;
    return run.record().tasks().stream().filter(t -> t.task().equals(task)).map(t -> t.scores().get(metric)).filter(s -> s != null)
        .findFirst().orElse(null);
  }

  private static double value(@Nullable Run run, String task, String metric) {
    var score = score(run, task, metric);
    return score == null ? Double.NaN : score.value();
  }

  /** Whether dense does so much better than guessing that the task can tell arms apart. */
  boolean tells() {
    var dense = arms.get(Arm.BASELINE);
    return dense != null && dense.mean >= chance + TELLING * dense.error;
  }
}
