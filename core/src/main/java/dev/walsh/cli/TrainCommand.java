package dev.walsh.cli;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.config.Recipe;
import dev.walsh.config.UserError;
import dev.walsh.data.Dataset;
import dev.walsh.data.Loader;
import dev.walsh.measure.Hardware;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import dev.walsh.train.Calibration;
import dev.walsh.train.Interruption;
import dev.walsh.train.RunPlan;
import dev.walsh.train.Trainer;
import dev.walsh.train.TrainingRun;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code walsh train}: one model, in a folder of its own, that can be cut off and resumed at any moment. */
@Command(name = "train", description = "Trains a model on a dataset that 'walsh prepare' made.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "Ctrl-C stops after the step, with a checkpoint; --resume goes on, with the same losses to the last bit (CPU).", "", "Examples:",
    "  walsh train --model nano --data data/book --out runs/nano --minutes 10",
    "  walsh train --model 124M --projection hadamard --data data/web --out runs/h124 --tokens 2.5B",
    "  walsh train --out runs/h124 --resume",
    "  walsh train --model 757M --data data/web --out runs/x --dry-run"})
public final class TrainCommand implements Callable<Integer> {
  private static final int INTERRUPTED = 130;

  @Option(names = "--model", paramLabel = "PRESET|FILE.json", description = "nano, 124M, 354M, 757M, 1.7B, 2.6B, 3.9B, 5.6B, or a file with the fields of a model.")
  private @Nullable String model;

  @Option(names = "--projection", paramLabel = "NAME", description = "The attention output projection: dense, hadamard, hadamard-folded (the same function, trained in other parameters) or identity.")
  private @Nullable String projection;

  @Option(names = "--data", paramLabel = "DIR", description = "The dataset.")
  private @Nullable Path data;

  @Option(names = "--val", paramLabel = "DIR", description = "Another dataset to validate on.")
  private @Nullable Path validation;

  @Option(names = "--out", paramLabel = "RUN", required = true, description = "The run's folder.")
  private Path out = Path.of("");

  @Option(names = "--resume", description = "Go on with the run in RUN, from its last checkpoint.")
  private boolean resume;

  @Option(names = "--dry-run", description = "Say what would be trained, and write nothing.")
  private boolean dryRun;

  @Option(names = "--tokens", paramLabel = "N", converter = CountConverter.class, description = "Tokens to train on; K, M and B are understood. By default 20 a parameter, but no text more than ten times.")
  private @Nullable Long tokens;

  @Option(names = "--minutes", paramLabel = "M", description = "Minutes to train instead, turned into tokens by a short calibration.")
  private @Nullable Double minutes;

  @Mixin
  private TrainingOptions training = new TrainingOptions();

  @Mixin
  private DeviceOptions compute = new DeviceOptions();

  @Option(names = "--validate-every", paramLabel = "STEPS", description = "Steps between validations; a twentieth of the run, but 10 to 250, by default.")
  private @Nullable Integer validateEvery;

  @Option(names = "--val-tokens", paramLabel = "N", converter = CountConverter.class, defaultValue = "64K", description = "Tokens of one validation (default: ${DEFAULT-VALUE}).")
  private long validationTokens;

  @Option(names = "--checkpoint-every", paramLabel = "STEPS", description = "Steps between checkpoints; as often as validation by default.")
  private @Nullable Integer checkpointEvery;

  @Option(names = "--keep", paramLabel = "K", defaultValue = "2", description = "The newest checkpoints that stay, beside the best (default: ${DEFAULT-VALUE}).")
  private int keep;

  @Spec
  private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    var say = spec.commandLine().getErr();
    var device = compute.device();
    var plan = resume ? resumed() : planned(device);
    say.println(Hardware.probe().banner(device.toString()));
    describe(plan, say);
    if (dryRun) return 0;
    var run = new TrainingRun(plan, out, device, DeviceOptions.peakFlops(device, Dtype.named(plan.dtype())),
        warning -> say.println("walsh: " + warning));
    try (var interruption = Interruption.listen()) {
      var outcome = run.run(resume, interruption);
      report(outcome, spec.commandLine().getOut());
      return outcome.finished() ? 0 : INTERRUPTED;
    }
  }

  private RunPlan resumed() {
    if (model != null || projection != null || data != null || tokens != null || minutes != null || training.anyGiven()
        || compute.dtypeGiven()) {
      throw new UserError(
          "--resume goes on with what " + out.resolve(RunPlan.FILE) + " says; leave out the options of the model, the data and the recipe");
    }
    return RunPlan.read(out);
  }

  private RunPlan planned(Device device) {
    if (model == null) throw new UserError("No model was given; add --model nano, another preset, or a .json file");
    if (data == null) throw new UserError("No data was given; add --data DIR with a folder that 'walsh prepare' made");
    if (tokens != null && minutes != null) throw new UserError("--tokens and --minutes exclude each other; give one of them");
    if (RunPlan.exists(out)) throw new UserError(out + " holds a run already; add --resume to go on with it, or choose another --out");
    var shape = ModelConfig.parse(model);
    if (projection != null) shape = shape.with(Projection.named(projection));
    try (var dataset = Dataset.open(data)) {
      shape = shape.withVocabulary(dataset.tokenizer().vocabulary());
      long budget = tokens != null ? tokens : Recipe.tokens(parameters(shape), dataset.train().tokens());
      var recipe = training.recipe(shape, budget, device == Device.CPU);
      if (recipe.length() > shape.context()) {
        throw new UserError("--length " + recipe.length() + " is longer than the model's context of " + shape.context() + "; shorten it");
      }
      var dtype = compute.dtype(device);
      var loader = Loader.shuffled(dataset.train(), recipe.length(), recipe.seed());
      if (minutes != null) {
        double seconds = Calibration.secondsPerStep(shape, recipe, loader, device, dtype);
        recipe = training.recipe(shape, Calibration.tokens(minutes * 60, seconds, recipe.batchTokens()), device == Device.CPU);
      }
      int every = validateEvery == null ? Math.clamp(recipe.steps() / 20, 10, 250) : validateEvery;
      return new RunPlan(shape, recipe, dtype.toString(), data.toAbsolutePath().normalize().toString(),
          validation == null ? null : validation.toAbsolutePath().normalize().toString(), every, validationTokens,
          checkpointEvery == null ? every : checkpointEvery, keep);
    }
  }

  private static long parameters(ModelConfig shape) {
    var weights = new Weights(Device.META, Dtype.F32, 0);
    var unused = new Gpt(shape, weights);
    long count = weights.elements();
    weights.close();
    return count;
  }

  private static void describe(RunPlan plan, PrintWriter say) {
    var shape = plan.model();
    var recipe = plan.training();
    var weights = new Weights(Device.META, Dtype.named(plan.dtype()), 0);
    var model = new Gpt(shape, weights);
    var cost = model.cost(recipe.length());
    var memory = Trainer.footprint(model, weights, recipe);
    say.printf(Locale.ROOT, "model   %s, %,d layers, width %,d, %d heads, %,d parameters, %.3g MFLOP a token%n", shape.projection(),
        shape.layers(), shape.width(), shape.heads(), weights.elements(), cost.training() / 1e6);
    say.printf(Locale.ROOT, "train   %,d tokens in %,d steps of %,d (%d × %d sequences of %,d), lr %.2g, %s%n", recipe.tokens(),
        recipe.steps(), recipe.batchTokens(), recipe.accumulation(), recipe.microBatch(), recipe.length(), recipe.learningRate(),
        plan.dtype());
    say.printf(Locale.ROOT, "memory  %,d MiB: weights %,d, gradients %,d, moments %,d, activations %,d%n", mib(memory.total()),
        mib(memory.weights()), mib(memory.gradients()), mib(memory.moments()), mib(memory.activations()));
    say.flush();
    weights.close();
  }

  private static long mib(long bytes) {
    return bytes >> 20;
  }

  private void report(TrainingRun.Outcome outcome, PrintWriter to) {
    if (!outcome.finished()) {
      to.printf("Stopped at step %,d, saved. Go on with: walsh train --out %s --resume%n", outcome.step(), out);
    } else {
      to.printf(Locale.ROOT, "Done: %,d steps in %.0f s of training, validation loss %.4f nats a token.%n", outcome.step(),
          outcome.seconds(), outcome.validationLoss());
      to.printf("Next: walsh generate %s --prompt \"…\"%n", out);
    }
    to.flush();
  }
}
