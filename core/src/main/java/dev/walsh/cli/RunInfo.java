package dev.walsh.cli;

import dev.walsh.checkpoint.Checkpoint;
import dev.walsh.checkpoint.CheckpointStore;
import dev.walsh.checkpoint.RunState;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.UserError;
import dev.walsh.data.Dataset;
import dev.walsh.data.Loader;
import dev.walsh.kernels.wht.HadamardFactors;
import dev.walsh.model.Cost;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import dev.walsh.text.Tokenizer;
import dev.walsh.train.Metric;
import dev.walsh.train.MetricsLog;
import dev.walsh.train.RunPlan;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * All that a run's folder tells: what it was asked to do, what its model costs, and how far it came. What is not known yet, or no longer,
 * is null.
 *
 * @param tokenizer its name, from the newest checkpoint or else from the dataset
 * @param hadamard the explanation of H_d, where the model has one
 * @param history what {@code metrics.jsonl} says, null before the first step
 * @param checkpoints the whole ones, oldest first
 */
record RunInfo(String run, RunPlan plan, @Nullable String tokenizer, @Nullable String hadamard, ModelCost cost, Memory memory,
    @Nullable History history, List<Saved> checkpoints) {
  /**
   * What a model costs, for one token in sequences of the training length.
   *
   * @param kept elements from forward to backward, which recomputing lessens
   * @param parts what each part costs, those in another beginning with "of which"
   */
  record ModelCost(long parameters, double forwardFlops, double trainingFlops, double kept, List<Part> parts) {}

  /** @param kept elements from forward to backward */
  record Part(String name, long parameters, double forwardFlops, double trainingFlops, double kept) {
    static Part of(String name, Cost cost) {
      return new Part(name, cost.parameters(), cost.forward(), cost.training(), cost.saved());
    }
  }

  /**
   * Bytes.
   *
   * @param weights in float32, as a checkpoint keeps them
   * @param optimizer AdamW's two moments
   * @param training all that training holds, activations of one pass included, as the run logged it
   */
  record Memory(long weights, long optimizer, @Nullable Long training) {}

  /** Losses are in nats a token. */
  record History(long step, long tokens, double seconds, double tokensPerSecond, @Nullable Double loss, @Nullable Validation last,
      @Nullable Validation best) {}

  record Validation(long step, double loss, @Nullable Double bitsPerByte) {}

  record Saved(long step, @Nullable Double validationLoss, long bytes) {}

  /** Reads a run's folder, which another process may be writing to. */
  static RunInfo of(Path run) {
    var plan = RunPlan.read(run);
    var checkpoints = new CheckpointStore(run, plan.keep(), _ -> {}).list();
    var cost = cost(plan);
    var log = Files.exists(run.resolve(MetricsLog.FILE)) ? MetricsLog.read(run) : List.<Metric>of();
    var held = Held.of(plan);
    long weights = cost.parameters * Dtype.F32.bytes();
    var training = log.stream().map(Metric::memoryMib).filter(Objects::nonNull).reduce((_, last) -> last);
    return new RunInfo(run.toString(), plan, tokenizer(checkpoints, held), hadamard(plan.model()), cost,
        new Memory(weights, 2 * weights, training.map(mib -> Math.round(mib * (1 << 20))).orElse(null)), history(log, held),
        checkpoints.stream().map(RunInfo::saved).toList());
  }

  private static @Nullable String hadamard(ModelConfig model) {
    var factors = HadamardFactors.of(model);
    return factors == null ? null : factors.explain();
  }

  private static ModelCost cost(RunPlan plan) {
    var weights = new Weights(Device.META, Dtype.F32, 0);
    try {
      var model = new Gpt(plan.model(), weights, plan.execution().kernels());
      int length = plan.training().length();
      var parts = new ArrayList<Part>();
      model.costs(length).forEach((name, cost) -> {
        parts.add(Part.of(name, cost));
        if (name.equals("attention")) parts.add(Part.of("of which output projections", model.outputProjectionCost()));
      });
      var whole = model.cost(length);
      return new ModelCost(whole.parameters(), whole.forward(), whole.training(), whole.saved(), parts);
    } finally {
      weights.close();
    }
  }

  private static @Nullable String tokenizer(List<Checkpoint> checkpoints, @Nullable Held held) {
    if (!checkpoints.isEmpty()) return RunState.read(checkpoints.getLast().folder()).tokenizer();
    return held == null ? null : held.tokenizer;
  }

  private static @Nullable History history(List<Metric> log, @Nullable Held held) {
    if (log.isEmpty()) return null;
    var end = log.getLast();
    var loss = log.stream().map(Metric::loss).filter(Objects::nonNull).reduce((_, last) -> last).orElse(null);
    var validations = log.stream().filter(metric -> metric.validationLoss() != null).map(metric -> validation(metric, held)).toList();
    var best = validations.stream().filter(v -> Double.isFinite(v.loss)).min(Comparator.comparingDouble(Validation::loss)).orElse(null);
    return new History(end.step(), end.tokens(), end.seconds(), end.tokens() / end.seconds(), loss,
        validations.isEmpty() ? null : validations.getLast(), best);
  }

  private static Validation validation(Metric metric, @Nullable Held held) {
    double loss = Objects.requireNonNull(metric.validationLoss());
    return new Validation(metric.step(), loss, held == null ? null : loss / Math.log(2) * held.tokens / held.bytes);
  }

  private static Saved saved(Checkpoint checkpoint) {
    var loss = checkpoint.validationLoss();
    return new Saved(checkpoint.step(), loss.isPresent() ? loss.getAsDouble() : null, bytes(checkpoint.folder()));
  }

  private static long bytes(Path folder) {
    try (var files = Files.list(folder)) {
      return files.mapToLong(file -> file.toFile().length()).sum();
    } catch (IOException deletedMeanwhile) {
      return 0;
    }
  }

  /**
   * The text that a run validates on.
   *
   * @param tokens predicted in one validation
   * @param bytes of text that these stand for
   */
  private record Held(String tokenizer, long tokens, long bytes) {
    /** Null where the dataset is no longer what the run used. */
    static @Nullable Held of(RunPlan plan) {
      var folder = Path.of(plan.validation() == null ? plan.data() : plan.validation());
      try (var dataset = Dataset.open(folder)) {
        int length = plan.training().length();
        var loader = Loader.sequential(dataset.val(), length);
        long windows = Math.clamp(plan.validationTokens() / length, 1, loader.windows());
        return new Held(dataset.tokenizer().name(), windows * length, bytes(loader, windows, dataset.tokenizer()));
      } catch (UserError moved) {
        return null;
      }
    }

    private static long bytes(Loader loader, long windows, Tokenizer tokenizer) {
      var ids = new long[loader.length()];
      var targets = new long[loader.length()];
      long bytes = 0;
      for (long window = 0; window < windows; window++) {
        loader.next(1, ids, targets);
        for (long target : targets) bytes += tokenizer.byteCount((int) target);
      }
      return bytes;
    }
  }
}
