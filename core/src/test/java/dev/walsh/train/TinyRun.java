package dev.walsh.train;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.config.TrainConfig;
import dev.walsh.data.Corpus;
import dev.walsh.data.Preparation;
import dev.walsh.measure.Progress;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Ranks;
import dev.walsh.text.Tokenizer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A run of a second on text of the test's own, for tests of what comes after training. */
public final class TinyRun {
  /** Heads of 12 channels, so that H_d holds the smallest matrix that is not symmetric. */
  public static final ModelConfig MODEL = new ModelConfig(2, 24, 2, 40, 16, 257, Projection.named("dense"));

  private TinyRun() {}

  /** A dataset of bytes under {@code parent}, made where there is none yet. */
  public static Path data(Path parent) {
    var data = parent.resolve("data");
    if (Files.exists(data)) return data;
    try {
      var text = new StringBuilder();
      for (int i = 0; i < 400; i++) text.append("line ").append(i * i).append(" of the text\n");
      var file = Files.writeString(parent.resolve("text.txt"), text);
      var unused = new Preparation(Corpus.of(List.of(file.toString())), data, Tokenizer.of("bytes"), 0.2, 100_000, false).run(
          Progress.quiet());
      return data;
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    } catch (InterruptedException error) {
      throw new IllegalStateException(error);
    }
  }

  /** Of 6 steps, validated and saved after every 2, all checkpoints kept; large steps, so that every weight moves. */
  public static RunPlan plan(Path data, ModelConfig model) {
    var training = new TrainConfig(6 * 64, 64, 4, 16, 0.03, 0.5, 0, 0.9, 0.95, 0.1, 1, 7);
    return new RunPlan(model, training, "f32", data.toString(), null, 2, 160, 2, 9);
  }

  /** A recipe of {@code steps} steps of two passes of two sequences each. */
  public static TrainConfig recipe(int steps) {
    return new TrainConfig(steps * 64L, 64, 2, 16, 3e-3, 0.1, 0.1, 0.9, 0.95, 0.1, 1, 5);
  }

  /** A run by that recipe, with a checkpoint after every ten steps. */
  static RunPlan plan(Path data, String projection, String dtype, int steps) {
    return new RunPlan(MODEL.with(Projection.named(projection)), recipe(steps), dtype, data.toString(), null, 10, 256, 10, 9);
  }

  /** Trains {@code parent/NAME} and returns it. */
  public static Path train(Path parent, String name, Projection projection) {
    return train(parent, name, MODEL.with(projection));
  }

  /** Trains a model of {@link #MODEL}'s kind in {@code parent/NAME} and returns it. */
  public static Path train(Path parent, String name, ModelConfig model) {
    var run = parent.resolve(name);
    try (var interruption = Interruption.listen()) {
      var unused = new TrainingRun(plan(data(parent), model), run, Device.CPU, Ranks.alone(), 1e12, _ -> {}).run(false, interruption);
    }
    return run;
  }

  /** Copies a run, for a test that damages it. */
  public static Path copy(Path run, Path to) throws IOException {
    try (var files = Files.walk(run)) {
      for (var file : files.toList()) Files.copy(file, to.resolve(run.relativize(file)));
    }
    return to;
  }

  /** Deletes a folder of files. */
  public static void delete(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      for (var file : files.toList()) Files.delete(file);
    }
    Files.delete(folder);
  }
}
