package dev.walsh.eval;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a model reached on a task.
 *
 * @param task its name; of a user's own file, the path
 * @param version of the task and its data, as {@link Task#version} says it
 * @param items how many were scored
 * @param truncated how many of them did not fit the model's context and lost their beginning
 * @param scores by the name of the metric, in the order in which they are shown; a task of several sets has the mean over them under the
 *        plain name, and that of each under "metric/set"
 */
public record TaskResult(String task, String version, int items, int truncated, Map<String, Score> scores) {
  public TaskResult {
    scores = Collections.unmodifiableMap(new LinkedHashMap<>(scores));
  }

  /** The score of a metric that the task has. */
  public Score score(String metric) {
    var score = scores.get(metric);
    if (score == null) throw new IllegalArgumentException(task + " has no " + metric + ", but " + scores.keySet());
    return score;
  }
}
