package dev.walsh.study.cells;

import dev.walsh.checkpoint.CheckpointStore;
import dev.walsh.checkpoint.RunLock;
import dev.walsh.config.TrainConfig;
import dev.walsh.data.Loader;
import dev.walsh.eval.Evaluation;
import dev.walsh.eval.LanguageModel;
import dev.walsh.eval.Task;
import dev.walsh.eval.TaskResult;
import dev.walsh.measure.Progress;
import dev.walsh.study.Arm;
import dev.walsh.study.Sizes;
import dev.walsh.study.ValidationSteps;
import dev.walsh.study.plan.Cell;
import dev.walsh.tensor.Device;
import dev.walsh.train.Interruption;
import dev.walsh.train.RunPlan;
import dev.walsh.train.StepReport;
import dev.walsh.train.Trainer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One cell while it trains: its model, its curve, and what the end shows. */
final class CellRun implements AutoCloseable {
  private static final int VALIDATIONS = 18;
  private static final int TRAIN_READINGS = 200;
  /** Validating costs a third of training a token, so the curve's validations take at most a seventh of the time. */
  private static final int TRAINING_TOKENS_A_VALIDATION_TOKEN = 40;
  private static final long LEAST_CURVE_TOKENS = 4096;
  private static final long MOST_CURVE_TOKENS = 131_072;
  private static final int FINAL_VALIDATION = 4;
  /** Steps after which memory is taken as it will stay: kernels are chosen, and the graph is captured. */
  private static final int SETTLED = 4;
  private static final int LAST_SHARE = 20;

  private final Arm arm;
  private final TrainConfig recipe;
  private final Corpora corpora;
  private final Device device;
  private final Sizes sizes;
  private final Trainer trainer;
  private final Map<String, Loader> validation = new LinkedHashMap<>();
  private final long before;
  private final TreeSet<Long> validationSteps;
  private final List<Reading> curve = new ArrayList<>();
  private final double[] stepSeconds;
  private final double[] stepLosses;
  private double seconds;
  private @Nullable Long memory;
  private CellRecord.@Nullable Divergence diverged;

  CellRun(Cell cell, double learningRate, Corpora corpora, Place place) {
    this.corpora = corpora;
    device = place.device();
    arm = cell.group().arm(cell.arm(), corpora.tokenizer().vocabulary());
    recipe = cell.group().recipe(learningRate, cell.seed(), device == Device.CPU);
    sizes = Sizes.of(arm.model(), recipe, place.dtype());
    corpora.validation().forEach((name, split) -> validation.put(name, Loader.shuffled(split, recipe.length(), 0)));
    validationSteps = ValidationSteps.of(recipe.steps(), VALIDATIONS);
    int steps = Math.toIntExact(recipe.steps());
    stepSeconds = new double[steps];
    stepLosses = new double[steps];
    device.freeUnused();
    before = device.bytesInUse();
    trainer = new Trainer(arm.model(), recipe, Loader.shuffled(corpora.train(), recipe.length(), recipe.seed()), device,
        place.dtype());
  }

  long steps() {
    return recipe.steps();
  }

  /** Trains to the end or until the loss is not finite; false where it was interrupted. */
  boolean train(Interruption interruption, Progress progress) {
    int binned = 0;
    double sum = 0;
    for (int nth = 0; diverged == null && !trainer.isDone(); nth++) {
      if (interruption.isRequested()) return false;
      var report = trainer.step();
      progress.step(1);
      stepSeconds[nth] = report.seconds();
      stepLosses[nth] = report.loss();
      seconds += report.seconds();
      if (!report.isFinite()) diverged = new CellRecord.Divergence(report.step(), "the loss or its gradient was not finite");
      if (report.step() == Math.min(SETTLED, recipe.steps()) && device == Device.CUDA) memory = device.bytesInUse() - before;
      sum += report.loss();
      binned++;
      boolean endsBin = report.step() * TRAIN_READINGS / recipe.steps() > (report.step() - 1) * TRAIN_READINGS / recipe.steps();
      if (diverged == null && (endsBin || trainer.isDone())) {
        curve.add(reading(report, sum / binned, null));
        sum = 0;
        binned = 0;
      }
      if (diverged == null && validationSteps.contains(report.step())) {
        var main = corpora.facts().main();
        curve.add(reading(report, null, Map.of(main, validate(main, curveTokens()))));
      }
    }
    return true;
  }

  private Reading reading(StepReport report, @Nullable Double loss, @Nullable Map<String, Double> validated) {
    return new Reading(report.step(), report.tokens(), report.tokens() * sizes.flopsAToken(), seconds, loss, validated);
  }

  private long curveTokens() {
    return Math.clamp(recipe.tokens() / TRAINING_TOKENS_A_VALIDATION_TOKEN, LEAST_CURVE_TOKENS, MOST_CURVE_TOKENS);
  }

  private double validate(String text, long tokens) {
    var loader = validation.get(text);
    if (loader == null) throw new IllegalArgumentException("no text " + text);
    return trainer.validate(loader, tokens);
  }

  /** The loss on every text; a loss above that of guessing by a whole nat is one that went away. */
  Map<String, Double> validate() {
    var losses = new LinkedHashMap<String, Double>();
    if (diverged != null) return losses;
    for (var text : validation.keySet()) {
      double loss = validate(text, FINAL_VALIDATION * curveTokens());
      if (Double.isFinite(loss)) losses.put(text, loss);
      if (!(loss <= Math.log(arm.model().vocabulary()) + 1)) {
        diverged = new CellRecord.Divergence(trainer.stepsTaken(), "the loss on " + text + " ended at " + loss);
      }
    }
    return losses;
  }

  /**
   * What the tasks show; nothing of a model that diverged.
   *
   * @throws java.util.concurrent.CancellationException where it was interrupted
   */
  List<TaskResult> evaluate(List<Task> tasks, Interruption interruption) {
    if (diverged != null || tasks.isEmpty()) return List.of();
    var model = new LanguageModel(trainer.model(), corpora.tokenizer(), device);
    try (var progress = Progress.start("tasks", "requests", tasks.stream().mapToLong(Task::requests).sum())) {
      return Evaluation.run(model, tasks, progress, interruption::isRequested, _ -> {});
    }
  }

  /** Saves the weights, in a folder like that of {@code walsh train}. */
  void save(Path folder, double loss, Consumer<String> warnings) {
    int steps = Math.toIntExact(recipe.steps());
    try (var lock = RunLock.acquire(folder)) {
      new RunPlan(arm.model(), recipe, trainer.weights().dtype().toString(),
          corpora.trainFolder().toAbsolutePath().normalize().toString(), null, steps, FINAL_VALIDATION * curveTokens(), steps, 1, false)
          .write(
              folder);
      new CheckpointStore(folder, 1, warnings).save(trainer.stepsTaken(), OptionalDouble.of(loss),
          trainer.content(corpora.tokenizer().name(), seconds));
    }
  }

  Arm arm() {
    return arm;
  }

  TrainConfig recipe() {
    return recipe;
  }

  Sizes sizes() {
    return sizes;
  }

  List<Reading> curve() {
    return curve;
  }

  double seconds() {
    return seconds;
  }

  @Nullable
  Long memory() {
    return memory;
  }

  CellRecord.@Nullable Divergence diverged() {
    return diverged;
  }

  /** The median over steps, which neither the first steps nor a busy machine move. */
  double tokensPerSecond() {
    var taken = Arrays.copyOf(stepSeconds, Math.toIntExact(trainer.stepsTaken()));
    Arrays.sort(taken);
    return recipe.batchTokens() / taken[taken.length / 2];
  }

  /** The mean loss of the last twentieth of the steps; null where the last is not finite. */
  @Nullable
  Double trainLoss() {
    int taken = Math.toIntExact(trainer.stepsTaken());
    double mean = Arrays.stream(stepLosses, taken - Math.max(1, taken / LAST_SHARE), taken).average().orElse(Double.NaN);
    return Double.isFinite(mean) ? mean : null;
  }

  @Override
  public void close() {
    trainer.close();
    device.freeUnused();
  }
}
