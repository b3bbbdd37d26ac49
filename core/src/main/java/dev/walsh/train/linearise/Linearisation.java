package dev.walsh.train.linearise;

import dev.walsh.checkpoint.CheckpointStore;
import dev.walsh.checkpoint.RunLock;
import dev.walsh.checkpoint.RunState;
import dev.walsh.checkpoint.Safetensors;
import dev.walsh.config.Json;
import dev.walsh.config.TrainConfig;
import dev.walsh.data.Dataset;
import dev.walsh.data.Loader;
import dev.walsh.files.Disk;
import dev.walsh.measure.Progress;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import dev.walsh.train.Interruption;
import dev.walsh.train.RunPlan;
import dev.walsh.train.Trainer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.OptionalDouble;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The first half of making a trained model linear: layers get linear attention, whose feature maps are trained to give what the frozen
 * teacher's attention gives; all other weights are the teacher's. What comes of it is a run of {@link RunPlan} at its step 0, whose training
 * is the second half. Nothing is written before the feature maps are trained.
 *
 * @param teacher the folder of a checkpoint
 * @param plan of the new run: its model differs from the teacher's in the attention of some layers alone
 * @param layers these, from 0
 * @param matching the recipe of the feature maps, a pass a step
 */
public record Linearisation(Path teacher, RunPlan plan, List<Integer> layers, TrainConfig matching) {
  /** The report's file in the new run's folder. */
  public static final String FILE = "linearise.json";
  private static final long DIFFERENCE_TOKENS = 16_384;

  /**
   * What the first half came to, in nats a token of validation.
   *
   * @param teacher the folder of its checkpoint
   * @param teacherLoss what is to be recovered
   * @param replacedLoss with all layers replaced, before feature maps were trained
   * @param matchedLoss with all layers replaced, after it
   * @param layers each by itself
   */
  public record Report(String teacher, double teacherLoss, double replacedLoss, double matchedLoss, List<LayerReport> layers) {}

  /** What a layer showed before training or after. */
  private record Shown(double[] differences, double[] losses, double all) {}

  /**
   * Trains the feature maps and writes the new run.
   *
   * @param out without a run
   * @return null, and nothing was written, where it was interrupted
   */
  public @Nullable Report run(Path out, Device device, Interruption interruption, Consumer<String> warnings) {
    var dtype = Dtype.named(plan.dtype());
    var state = RunState.read(teacher);
    var teacherWeights = Weights.toBeLoaded(device, dtype);
    var weights = new Weights(device, dtype, plan.training().seed());
    try (var data = Dataset.open(Path.of(plan.data()));
        var held = Dataset.open(Path.of(plan.validation() == null ? plan.data() : plan.validation()));
        var saved = Safetensors.open(teacher.resolve(RunState.WEIGHTS))) {
      var model = new Gpt(state.model(), teacherWeights);
      teacherWeights.load(saved.tensors());
      var student = new Gpt(plan.model(), weights);
      var merged = new HashMap<>(weights.masters());
      merged.putAll(saved.tensors());
      weights.load(merged);
      try (var stage = new FeatureMatching(model, student, weights, layers, matching)) {
        var validation = new Validation(held);
        double loss = validation.loss(model::loss, device);
        var before = shown(model, student, stage, validation, device);
        if (!match(stage, Loader.shuffled(data.train(), matching.length(), ~matching.seed()), device, interruption)) return null;
        var after = shown(model, student, stage, validation, device);
        var report = new Report(teacher.toString(), loss, before.all, after.all, IntStream.range(0, layers.size())
            .mapToObj(i -> new LayerReport(layers.get(i), before.differences[i], after.differences[i], before.losses[i], after.losses[i],
                LayerReport.recovered(before.losses[i], after.losses[i], loss)))
            .toList());
        save(out, weights, data, report, warnings);
        return report;
      }
    } finally {
      weights.close();
      teacherWeights.close();
    }
  }

  /** Whether it came to its end. */
  private boolean match(FeatureMatching stage, Loader loader, Device device, Interruption interruption) {
    try (var progress = Progress.start("match", "steps", matching.steps())) {
      for (long step = 0; step < matching.steps(); step++) {
        if (interruption.isRequested()) return false;
        try (var scope = Scope.open()) {
          stage.step(Batch.next(loader, matching.microBatch(), device).ids);
        }
        progress.step(1);
      }
    }
    return true;
  }

  private Shown shown(Gpt model, Gpt student, FeatureMatching stage, Validation validation, Device device) {
    return new Shown(validation.differences(stage, device),
        layers.stream().mapToDouble(layer -> validation.loss((ids, targets) -> model.loss(ids, targets, layer, student), device)).toArray(),
        validation.loss(student::loss, device));
  }

  /** The checkpoint first: what says that there is a run comes when there is one. */
  private void save(Path out, Weights weights, Dataset data, Report report, Consumer<String> warnings) {
    var training = plan.training();
    try (var lock = RunLock.acquire(out);
        var trainer = new Trainer(plan.model(), training, Loader.shuffled(data.train(), training.length(), training.seed()),
            weights.device(),
            weights.dtype())) {
      trainer.weights().load(weights.masters());
      new CheckpointStore(out, plan.keep(), warnings).save(0, OptionalDouble.of(report.matchedLoss),
          trainer.content(data.tokenizer().name(), 0));
      Disk.write(out.resolve(FILE), Json.PRETTY.writeValueAsBytes(report));
      plan.write(out);
    }
  }

  private record Batch(Tensor ids, Tensor targets) {
    /** (B,T) each, in the innermost scope. */
    static Batch next(Loader loader, int sequences, Device device) {
      var ids = new long[sequences * loader.length()];
      var targets = new long[ids.length];
      loader.next(sequences, ids, targets);
      return new Batch(onDevice(ids, sequences, device), onDevice(targets, sequences, device));
    }

    private static Tensor onDevice(long[] values, int sequences, Device device) {
      return Memory.tensor(values, sequences, values.length / sequences).to(device.options(Dtype.I64), false, false, null);
    }
  }

  @FunctionalInterface
  private interface Loss {
    Tensor of(Tensor ids, Tensor targets);
  }

  /** The windows that a run of the plan validates on. */
  private final class Validation {
    private final Loader loader;
    private final long windows;

    Validation(Dataset held) {
      loader = Trainer.validationLoader(held, matching.length());
      windows = Math.clamp(plan.validationTokens() / matching.length(), 1, loader.windows());
    }

    /** The mean over all windows, in nats a token. */
    double loss(Loss loss, Device device) {
      loader.seek(0);
      double sum = 0;
      for (long done = 0; done < windows;) {
        int size = (int) Math.min(matching.microBatch(), windows - done);
        try (var scope = Scope.withoutGradients()) {
          var batch = Batch.next(loader, size, device);
          sum += loss.of(batch.ids, batch.targets).item_double() * size;
        }
        done += size;
      }
      return sum / windows;
    }

    /** Of each layer, over the first of the windows. */
    double[] differences(FeatureMatching stage, Device device) {
      loader.seek(0);
      int size = (int) Math.clamp(DIFFERENCE_TOKENS / matching.length(), 1, Math.min(matching.microBatch(), windows));
      try (var scope = Scope.withoutGradients()) {
        return stage.differences(Batch.next(loader, size, device).ids);
      }
    }
  }
}
