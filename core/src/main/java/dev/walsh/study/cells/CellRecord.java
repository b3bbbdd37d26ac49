package dev.walsh.study.cells;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.TrainConfig;
import dev.walsh.config.UserError;
import dev.walsh.eval.TaskResult;
import dev.walsh.measure.Stamp;
import dev.walsh.study.Sizes;
import dev.walsh.study.plan.Cell;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What came of a cell, kept as {@code cells/ID.json}; its curve lies beside it as {@code cells/ID.jsonl}.
 *
 * @param model as the arm made it
 * @param training the recipe
 * @param learningRateFrom where the learning rate comes from, in words
 * @param dtype that the model computed in
 * @param data the texts
 * @param sizes what the model takes, counted
 * @param tokensPerSecond of training, the median over steps
 * @param seconds spent in training steps
 * @param wallSeconds of the cell in all, evaluation included
 * @param memoryBytes of the GPU that training took, measured; null on the CPU
 * @param diverged null where the loss came down
 * @param trainLoss the mean over the last twentieth of the steps, in nats a token; null where there was none
 * @param validationLoss at the end, in nats a token, by text; empty where the loss was not finite
 * @param tasks downstream, in the order of the plan
 */
public record CellRecord(String id, String group, String arm, int seed, ModelConfig model, TrainConfig training, String learningRateFrom,
    String dtype, Corpora.Facts data, Sizes sizes, double tokensPerSecond, double seconds, double wallSeconds, @Nullable Long memoryBytes,
    @Nullable Divergence diverged, @Nullable Double trainLoss, Map<String, Double> validationLoss, List<TaskResult> tasks,
    Stamp stamp) {
  /**
   * A loss that went away: a result like any other.
   *
   * @param step at which a loss was not finite, or the last
   * @param reason in words
   */
  public record Divergence(long step, String reason) {}

  /** Nats a token at the end, on the text that curves are drawn of; NaN where the cell diverged. */
  public double loss() {
    var loss = validationLoss.get(data.main());
    return diverged != null || loss == null ? Double.NaN : loss;
  }

  /** Refuses a record that another plan's cell of the same name left. */
  void requireOf(Cell cell) {
    var asked = cell.group().arm(cell.arm(), model.vocabulary()).model();
    var recipe = cell.group().recipe(cell.learningRate() == null ? training.learningRate() : cell.learningRate(), cell.seed(), true);
    boolean same = asked.equals(model) && recipe.tokens() == training.tokens() && recipe.batchTokens() == training.batchTokens()
        && recipe.learningRate() == training.learningRate() && recipe.warmup() == training.warmup();
    if (!same) {
      throw new UserError(
          "The finished cell " + id + " has another model or recipe than the plan's; choose another --out, or rename the plan's group");
    }
  }
}
