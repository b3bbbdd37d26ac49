package dev.walsh.study.plan;

import java.math.BigDecimal;
import java.math.MathContext;
import org.jspecify.annotations.Nullable;

/**
 * One training run of a study.
 *
 * @param group it belongs to
 * @param arm its name
 * @param learningRate the peak; null where it is the best of another group, known only when that has run
 * @param seed of the initial weights and of the order of the data
 */
public record Cell(Group group, String arm, @Nullable Double learningRate, int seed) {
  /** Unique in a plan, and fit to be a file's name. */
  public String id() {
    var rate = learningRate == null
        ? "best"
        : BigDecimal.valueOf(learningRate).round(new MathContext(3)).stripTrailingZeros().toPlainString();
    return String.join("_", group.name(), arm.replaceAll("[^A-Za-z0-9.-]", "-"), "lr" + rate, "seed" + seed);
  }
}
