package dev.walsh.cli;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Recipe;
import dev.walsh.config.TrainConfig;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that make a recipe; what is not given is taken from {@link Recipe}. */
final class TrainingOptions {
  @Option(names = "--batch-tokens", paramLabel = "N", converter = CountConverter.class, description = "Tokens of one optimizer step.")
  private @Nullable Long batchTokens;

  @Option(names = "--micro-batch", paramLabel = "N", description = "Sequences of one pass; a step accumulates as many passes as it needs.")
  private @Nullable Integer microBatch;

  @Option(names = "--length", paramLabel = "T", description = "Tokens of a sequence, at most the model's context.")
  private @Nullable Integer length;

  @Option(names = "--lr", paramLabel = "X", description = "The peak of the learning rate.")
  private @Nullable Double learningRate;

  @Option(names = "--final-lr", paramLabel = "F", description = "What the cosine ends at, as a fraction of the peak.")
  private @Nullable Double finalLearningRate;

  @Option(names = "--warmup", paramLabel = "F", description = "The share of all steps over which the learning rate rises.")
  private @Nullable Double warmup;

  @Option(names = "--weight-decay", paramLabel = "X", description = "AdamW's weight decay, on matrices alone.")
  private @Nullable Double weightDecay;

  @Option(names = "--clip", paramLabel = "X", description = "The largest global norm that a gradient keeps.")
  private @Nullable Double clip;

  @Option(names = "--seed", paramLabel = "N", description = "Of the initial weights and of the order of the data.")
  private @Nullable Long seed;

  /** Whether any option of the recipe was given. */
  boolean anyGiven() {
    return batchTokens != null || microBatch != null || length != null || learningRate != null || finalLearningRate != null
        || warmup != null
        || weightDecay != null || clip != null || seed != null;
  }

  /** The recipe for a model, whose context is shortened where {@code --length} is longer than it. */
  TrainConfig recipe(ModelConfig model, long tokens, boolean cpu) {
    var base = Recipe.of(model, tokens, cpu);
    int sequenceLength = length == null ? base.length() : length;
    int step = batchTokens == null ? Math.max(1, base.batchTokens() / sequenceLength) * sequenceLength : Math.toIntExact(batchTokens);
    int sequences = Math.max(1, step / sequenceLength);
    int pass = microBatch == null ? Recipe.microBatch(model, sequences, sequenceLength, cpu) : microBatch;
    return new TrainConfig(tokens, step, pass, sequenceLength, or(learningRate, base.learningRate()),
        or(finalLearningRate, base.finalLearningRate()),
        or(warmup, base.warmup()), base.beta1(), base.beta2(), or(weightDecay, base.weightDecay()), or(clip, base.clip()),
        seed == null ? base.seed() : seed);
  }

  private static double or(@Nullable Double given, double usual) {
    return given == null ? usual : given;
  }
}
