package dev.walsh.study.cells;

import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.text.Tokenizer;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The downstream tasks of a study, ready to be run on any model. */
public interface Downstream {
  /**
   * A figure of a task.
   *
   * @param error one standard error
   * @param chance what guessing reaches; null where that is not known
   */
  record Score(double value, double error, @Nullable Double chance) {}

  /**
   * What a model reached on a task.
   *
   * @param truncated how many items were longer than the context
   * @param scores by name, such as {@code acc}
   */
  record TaskResult(String task, String version, int items, int truncated, Map<String, Score> scores) {}

  /** Runs the named tasks on a model. */
  List<TaskResult> run(Gpt model, Tokenizer tokenizer, Device device, List<String> tasks);
}
