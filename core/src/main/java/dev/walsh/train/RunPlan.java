package dev.walsh.train;

import dev.walsh.config.Json;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.TrainConfig;
import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/**
 * What a run was asked to do, kept as {@code run.json} in its folder from the first moment, so that {@code --resume} needs nothing else.
 *
 * @param model the shape of the model
 * @param training the recipe
 * @param dtype the dtype that the model computes in
 * @param data the dataset's folder
 * @param validation another dataset's folder whose validation split is used, where it is not the data's own
 * @param validateEvery steps from one validation to the next
 * @param validationTokens tokens of one validation
 * @param checkpointEvery steps from one checkpoint to the next
 * @param keep the newest checkpoints that stay, beside the best
 * @param recompute whether memory is saved by computing again in backward what is cheap; null is no, and is what earlier runs have
 */
public record RunPlan(ModelConfig model, TrainConfig training, String dtype, String data, @Nullable String validation, int validateEvery,
    long validationTokens, int checkpointEvery, int keep, @Nullable Boolean recompute) {
  public static final String FILE = "run.json";

  public RunPlan {
    positive("--validate-every", validateEvery);
    positive("--val-tokens", validationTokens);
    positive("--checkpoint-every", checkpointEvery);
    positive("--keep", keep);
  }

  private static void positive(String option, long value) {
    if (value <= 0) throw new UserError(option + " is " + value + "; it must be positive");
  }

  /** How the run's steps are run. */
  public Execution execution() {
    return Execution.GRAPH.recomputing(Boolean.TRUE.equals(recompute));
  }

  /** The same run, recomputing: its losses are the same. */
  public RunPlan recomputing() {
    return new RunPlan(model, training, dtype, data, validation, validateEvery, validationTokens, checkpointEvery, keep, true);
  }

  /** Whether a folder holds a run. */
  public static boolean exists(Path run) {
    return Files.exists(run.resolve(FILE));
  }

  public static RunPlan read(Path run) {
    var file = run.resolve(FILE);
    try {
      return Json.PRETTY.readValue(Files.readAllBytes(file), RunPlan.class);
    } catch (IOException | JacksonException e) {
      throw new UserError("Cannot read " + file + "; give the folder of a run that 'walsh train' made", e);
    }
  }

  /** Writes it into a run's folder, whole or not at all. */
  public void write(Path run) {
    Disk.write(run.resolve(FILE), Json.PRETTY.writeValueAsBytes(this));
  }
}
