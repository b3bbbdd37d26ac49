package dev.walsh.study.cells;

import dev.walsh.study.Arm;
import dev.walsh.study.plan.Cell;
import dev.walsh.study.plan.Group;
import dev.walsh.study.plan.StudyPlan;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The learning rates of cells: what the plan says, or what was best in a group that has run. */
public final class LearningRates {
  /**
   * A learning rate.
   *
   * @param from where it comes from, in words
   */
  public record Chosen(double rate, String from) {}

  private final StudyPlan plan;
  private final CellStore store;

  public LearningRates(StudyPlan plan, CellStore store) {
    this.plan = plan;
    this.store = store;
  }

  /** The learning rate of a cell; null where the group that decides it has not run to the end. */
  public @Nullable Chosen of(Cell cell) {
    var given = cell.learningRate();
    if (given != null) return new Chosen(given, cell.group().learningRates() == null ? "the default recipe" : "the plan");
    var deciding = plan.groups().stream().filter(g -> g.name().equals(cell.group().bestOf())).findFirst().orElseThrow();
    var arm = deciding.arms().contains(cell.arm()) ? cell.arm() : standIn(cell, deciding);
    var records = new ArrayList<CellRecord>();
    for (var decisive : plan.cells()) {
      if (!decisive.group().equals(deciding) || !decisive.arm().equals(arm)) continue;
      var record = store.find(decisive);
      if (record == null) return null;
      records.add(record);
    }
    var rate = best(records);
    var from = "best of " + deciding.name() + (arm.equals(cell.arm()) ? "" : " for " + arm + ", which stands in for this arm");
    return rate == null
        ? new Chosen(records.stream().mapToDouble(r -> r.training().learningRate()).min().orElseThrow(),
            "lowest of " + deciding.name() + ", where all diverged")
        : new Chosen(rate, from);
  }

  /** An arm without a run of its own takes the rate of its kind: that of dense where W_O is learned, else that of hadamard. */
  private static String standIn(Cell cell, Group deciding) {
    boolean learned = cell.group().arm(cell.arm(), 1).model().projection().mix().isLearned();
    if (!learned && deciding.arms().contains("hadamard")) return "hadamard";
    return deciding.arms().contains(Arm.BASELINE) ? Arm.BASELINE : deciding.arms().getFirst();
  }

  /** The learning rate of the lowest mean loss over seeds; one that diverged under any seed is out. Null where all are. */
  static @Nullable Double best(List<CellRecord> records) {
    var losses = new LinkedHashMap<Double, List<Double>>();
    for (var record : records) losses.computeIfAbsent(record.training().learningRate(), _ -> new ArrayList<>()).add(record.loss());
    return losses.entrySet().stream().filter(e -> mean(e.getValue()) < Double.POSITIVE_INFINITY)
        .min(Comparator.comparingDouble(e -> mean(e.getValue()))).map(Map.Entry::getKey).orElse(null);
  }

  private static double mean(List<Double> values) {
    return values.stream().mapToDouble(v -> v).average().orElse(Double.NaN);
  }
}
