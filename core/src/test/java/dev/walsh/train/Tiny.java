package dev.walsh.train;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.config.TrainConfig;
import dev.walsh.data.Corpus;
import dev.walsh.data.Preparation;
import dev.walsh.measure.Progress;
import dev.walsh.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;

/** A model, a text and a recipe that train in a blink. */
public final class Tiny {
  private static final int CONTEXT = 16;

  private Tiny() {}

  public static ModelConfig model(String projection) {
    return new ModelConfig(2, 48, 4, 64, CONTEXT, 257, Projection.named(projection));
  }

  /** A dataset of made-up sentences, as bytes, in a new folder. */
  public static Path dataset(Path folder) throws IOException, InterruptedException {
    var random = new Random(7);
    var words = List.of("the ", "matrix ", "mixes ", "heads ", "and ", "rows ", "of ", "signs. ");
    var text = new StringBuilder();
    for (int i = 0; i < 4000; i++) text.append(words.get(random.nextInt(words.size())));
    var file = Files.writeString(folder.resolve("words.txt"), text);
    var out = folder.resolve("data");
    new Preparation(Corpus.of(List.of(file.toString())), out, Tokenizer.of("bytes"), 0.1, 1_000_000, false).run(Progress.quiet());
    return out;
  }

  /** Steps of two passes of two sequences each. */
  public static TrainConfig recipe(int steps) {
    return new TrainConfig(steps * 4L * CONTEXT, 4 * CONTEXT, 2, CONTEXT, 3e-3, 0.1, 0.1, 0.9, 0.95, 0.1, 1, 5);
  }

  /** A run of {@code steps} steps with a checkpoint after every ten. */
  public static RunPlan plan(Path dataset, String projection, String dtype, int steps) {
    return new RunPlan(model(projection), recipe(steps), dtype, dataset.toString(), null, 10, 256, 10, 9);
  }
}
