package dev.walsh.cli;

import dev.walsh.config.Json;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.Recipe;
import dev.walsh.config.TrainConfig;
import dev.walsh.config.UserError;
import dev.walsh.data.Dataset;
import dev.walsh.data.Loader;
import dev.walsh.measure.Hardware;
import dev.walsh.model.Gpt;
import dev.walsh.ranks.Rendezvous;
import dev.walsh.study.Arm;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Ranks;
import dev.walsh.tensor.Weights;
import dev.walsh.train.Calibration;
import dev.walsh.train.Footprint;
import dev.walsh.train.Interruption;
import dev.walsh.train.RunPlan;
import dev.walsh.train.Share;
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
    "", ArmNames.HELP, "", "Ctrl-C stops after the step, with a checkpoint; --resume goes on, with the same losses to the last bit (CPU).",
    "", "Examples:",
    "  walsh train --model nano --data data/book --out runs/nano --minutes 10",
    "  walsh train --model 124M --projection hadamard --data data/web --out runs/h124 --tokens 2.5B",
    "  walsh train --model 124M --attention hla --factors 2 --rank 16 --projection hadamard --data data/web --out runs/hla124",
    "  walsh train --out runs/h124 --resume",
    "  walsh train --model 757M --data data/web --out runs/d757 --gpus 8",
    "  RANK=0 WORLD_SIZE=2 MASTER_ADDR=10.0.0.1 MASTER_PORT=29500 walsh train …   on one machine, RANK=1 on the other",
    "  walsh train --model 757M --data data/web --out runs/x --dry-run"})
public final class TrainCommand implements Callable<Integer> {
  private static final int INTERRUPTED = 130;

  @Option(names = "--model", paramLabel = "PRESET|FILE.json", description = "nano, 124M, 354M, 757M, 1.7B, 2.6B, 3.9B, 5.6B, or a file with the fields of a model.")
  private @Nullable String model;

  @Option(names = "--projection", paramLabel = "NAME", completionCandidates = ArmNames.class, description = "The attention output projection, or what else is made of the model: ${COMPLETION-CANDIDATES}.")
  private @Nullable String projection;

  @Mixin
  private AttentionOptions attention = new AttentionOptions();

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

  @Mixin
  private RankOptions sharing = new RankOptions();

  @Option(names = "--recompute", description = "Hold less memory, for a few percent of the time: the outputs of norms and of SwiGLU are computed again in backward; the losses are the same. With --resume too.")
  private boolean recompute;

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
    var device = compute.device();
    var at = sharing.rendezvous(device, System.getenv());
    boolean first = at.rank() == 0;
    var draft = resume ? resumed(first) : planned(device, first);
    if (draft != null) {
      var unused = Share.of(draft.training(), at.rank(), sharing.size(at));
    }
    if (sharing.starts() && !dryRun) return sharing.start(spec);
    var say = RankOptions.voice(at, spec.commandLine().getErr());
    try (var ranks = RankOptions.connect(dryRun ? Rendezvous.ALONE : at, device, spec.commandLine().getErr())) {
      var plan = agreed(draft, device, ranks);
      say.println(Hardware.probe().banner(device.toString()));
      describe(plan, device, sharing.size(at), say);
      return dryRun ? 0 : train(plan, device, ranks, say);
    }
  }

  private int train(RunPlan plan, Device device, Ranks ranks, PrintWriter say) {
    double peak = ranks.isFirst() ? ranks.size() * DeviceOptions.peakFlops(device, Dtype.named(plan.dtype())) : Double.NaN;
    var run = new TrainingRun(plan, out, device, ranks, peak, warning -> say.println("walsh: " + warning));
    try (var interruption = Interruption.listen()) {
      var outcome = run.run(resume, interruption);
      ranks.finish();
      if (ranks.isFirst()) report(outcome, spec.commandLine().getOut());
      return outcome.finished() ? 0 : INTERRUPTED;
    }
  }

  /** The plan of all ranks: rank 0's, whose minutes are counted by a calibration in which all take part. */
  private RunPlan agreed(@Nullable RunPlan draft, Device device, Ranks ranks) {
    if (draft != null && minutes != null) draft = calibrated(draft, minutes, device, ranks);
    var told = ranks.tell(draft == null ? "" : Json.LINE.writeValueAsString(draft));
    return ranks.isFirst() && draft != null ? draft : Json.LINE.readValue(told, RunPlan.class);
  }

  /** What the folder says; nothing where another rank reads it. */
  private @Nullable RunPlan resumed(boolean first) {
    if (model != null || projection != null || attention.anyGiven() || data != null || tokens != null || minutes != null
        || training.anyGiven()
        || compute.dtypeGiven()) {
      throw new UserError(
          "--resume goes on with what " + out.resolve(RunPlan.FILE) + " says; leave out the options of the model, the data and the recipe");
    }
    if (!first) return null;
    var plan = RunPlan.read(out);
    return recompute ? plan.recomputing() : plan;
  }

  /** What the options say, but for the minutes. */
  private RunPlan planned(Device device, boolean first) {
    if (model == null) throw new UserError("No model was given; add --model nano, another preset, or a .json file");
    if (data == null) throw new UserError("No data was given; add --data DIR with a folder that 'walsh prepare' made");
    if (tokens != null && minutes != null) throw new UserError("--tokens and --minutes exclude each other; give one of them");
    if (first && RunPlan.exists(out))
      throw new UserError(out + " holds a run already; add --resume to go on with it, or choose another --out");
    var shape = ModelConfig.parse(model);
    if (projection != null) shape = Arm.named(shape, projection).model();
    shape = attention.apply(shape);
    try (var dataset = Dataset.open(data)) {
      shape = shape.withVocabulary(dataset.tokenizer().vocabulary());
      long budget = tokens != null ? tokens : Recipe.tokens(Gpt.parameters(shape), dataset.train().tokens());
      var recipe = training.recipe(shape, budget, device == Device.CPU);
      if (recipe.length() > shape.context()) {
        throw new UserError("--length " + recipe.length() + " is longer than the model's context of " + shape.context() + "; shorten it");
      }
      return plan(shape, recipe, compute.dtype(device), data, validation);
    }
  }

  private RunPlan plan(ModelConfig shape, TrainConfig recipe, Dtype dtype, Path text, @Nullable Path held) {
    int every = validateEvery == null ? Math.clamp(recipe.steps() / 20, 10, 250) : validateEvery;
    return new RunPlan(shape, recipe, dtype.toString(), text.toAbsolutePath().normalize().toString(),
        held == null ? null : held.toAbsolutePath().normalize().toString(), every, validationTokens,
        checkpointEvery == null ? every : checkpointEvery, keep, recompute);
  }

  private RunPlan calibrated(RunPlan draft, double forMinutes, Device device, Ranks ranks) {
    var shape = draft.model();
    var recipe = draft.training();
    var dtype = Dtype.named(draft.dtype());
    var text = Path.of(draft.data());
    try (var dataset = Dataset.open(text)) {
      var loader = Loader.shuffled(dataset.train(), recipe.length(), recipe.seed());
      double seconds = Calibration.secondsPerStep(shape, recipe, loader, device, dtype, draft.execution(), ranks);
      long budget = Calibration.tokens(forMinutes * 60, seconds, recipe.batchTokens());
      return plan(shape, training.recipe(shape, budget, device == Device.CPU), dtype, text, validation);
    }
  }

  private static void describe(RunPlan plan, Device device, int ranks, PrintWriter say) {
    var shape = plan.model();
    var recipe = plan.training();
    var weights = new Weights(Device.META, Dtype.named(plan.dtype()), 0);
    var model = new Gpt(shape, weights);
    var cost = model.cost(recipe.length());
    var execution = plan.execution();
    var memory = Footprint.of(shape, recipe, ranks, device, Dtype.named(plan.dtype()), execution);
    var share = Share.of(recipe, 0, ranks);
    say.printf(Locale.ROOT, "model   %s, %,d layers, width %,d, %d heads, %,d parameters, %.3g MFLOP a token%n", shape.attentionInWords(),
        shape.layers(), shape.width(), shape.heads(), weights.elements(), cost.training() / 1e6);
    say.printf(Locale.ROOT, "train   %,d tokens in %,d steps of %,d (%s%d × %d sequences of %,d), lr %.2g, %s%n", recipe.tokens(),
        recipe.steps(), recipe.batchTokens(), ranks == 1 ? "" : ranks + " ranks × ", share.passes(), share.microBatch(), recipe.length(),
        recipe.learningRate(),
        plan.dtype());
    say.printf(Locale.ROOT, "memory  %,d MiB%s: weights %,d, gradients %,d, moments %,d, activations %,d%s, logits %,d%n",
        mib(memory.total()), ranks == 1 ? "" : " a rank", mib(memory.weights()), mib(memory.gradients()), mib(memory.moments()),
        mib(memory.activations()), execution.recompute() ? " with recomputation" : "", mib(memory.logits()));
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
