package dev.walsh.study.findings;

import java.util.List;
import java.util.function.Function;

/** What runs took, as plain numbers. */
final class Figures {
  private Figures() {}

  /** The mean of a figure over runs; NaN for none. */
  static double mean(List<Run> runs, Function<Run, Double> figure) {
    return runs.stream().mapToDouble(figure::apply).average().orElse(Double.NaN);
  }

  /** The memory of training in bytes: measured on a GPU, computed from the tensors elsewhere. */
  static double memory(Run run) {
    var measured = run.record().memoryBytes();
    return measured == null ? run.record().sizes().memory().total() : measured;
  }
}
