package dev.walsh.study.findings;

import dev.walsh.report.Format;
import dev.walsh.study.Arm;
import dev.walsh.study.Sizes;
import dev.walsh.study.plan.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The runs that may be held against each other: one shape before the arms change it, one number of tokens, one batch.
 *
 * @param shape before the arms change it
 * @param dense what the dense model of that shape takes
 * @param arms the runs of each arm in the order of their seeds; none where its cells have not finished
 * @param cells how many runs of each arm the plan asks for
 */
record Setting(Shape shape, Sizes dense, long tokens, int batchTokens, Map<String, List<Run>> arms, Map<String, Integer> cells) {
  Setting {
    arms = new LinkedHashMap<>(arms);
    cells = new LinkedHashMap<>(cells);
  }

  /** Such as {@code 50.9M, 100M tokens}. */
  String name() {
    return size() + ", " + Format.COUNT.text(tokens) + " tokens";
  }

  /** The preset's name, or the parameters of the dense model. */
  String size() {
    var preset = shape.preset();
    if (preset != null) return preset;
    return dense.parameters() < 1e6 ? Format.COUNT.text(dense.parameters()) : Math.round(dense.parameters() / 1e6) + "M";
  }

  List<Run> runs(String arm) {
    return arms.getOrDefault(arm, List.of());
  }

  /** The run of an arm and a seed; null where there is none. */
  @Nullable
  Run run(String arm, int seed) {
    return runs(arm).stream().filter(run -> run.seed() == seed).findFirst().orElse(null);
  }

  /** The arms but dense. */
  List<String> others() {
    return arms.keySet().stream().filter(arm -> !arm.equals(Arm.BASELINE)).toList();
  }

  boolean isEmpty() {
    return arms.values().stream().allMatch(List::isEmpty);
  }
}
