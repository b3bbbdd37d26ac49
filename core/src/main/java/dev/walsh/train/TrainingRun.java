package dev.walsh.train;

import dev.walsh.checkpoint.Checkpoint;
import dev.walsh.checkpoint.CheckpointStore;
import dev.walsh.checkpoint.RunLock;
import dev.walsh.checkpoint.RunState;
import dev.walsh.checkpoint.Safetensors;
import dev.walsh.config.UserError;
import dev.walsh.data.Dataset;
import dev.walsh.data.Loader;
import dev.walsh.files.Disk;
import dev.walsh.measure.Progress;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Ranks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalDouble;
import java.util.function.Consumer;

/** One run of {@code walsh train}: a trainer in a folder that logs, validates and saves it, and that can be cut off at any moment. */
public final class TrainingRun {
  /**
   * How a run ended.
   *
   * @param step optimizer steps taken
   * @param finished false where it was interrupted
   * @param validationLoss the last, in nats a token; NaN where the last checkpoint had none and none was measured since
   * @param seconds spent in training steps
   */
  public record Outcome(long step, boolean finished, double validationLoss, double seconds) {}

  private final RunPlan plan;
  private final Path folder;
  private final Device device;
  private final Ranks ranks;
  private final double peakFlops;
  private final Consumer<String> warnings;

  /**
   * @param ranks that share the run, each with the same plan; the first alone touches the folder
   * @param peakFlops operations a second that matrix products reach on the devices of all ranks, the measure of MFU
   * @param warnings receives what went wrong without stopping the run, a sentence each
   */
  public TrainingRun(RunPlan plan, Path folder, Device device, Ranks ranks, double peakFlops, Consumer<String> warnings) {
    this.plan = plan;
    this.folder = folder;
    this.device = device;
    this.ranks = ranks;
    this.peakFlops = peakFlops;
    this.warnings = warnings;
  }

  /** Trains to the end, or until interrupted; goes on from the last sound checkpoint if {@code resume}. */
  public Outcome run(boolean resume, Interruption interruption) {
    var validationFolder = plan.validation() == null ? plan.data() : plan.validation();
    try (var lock = ranks.isFirst() ? RunLock.acquire(folder) : null;
        var data = Dataset.open(Path.of(plan.data()));
        var held = Dataset.open(Path.of(validationFolder))) {
      if (ranks.isFirst() && !resume) plan.write(folder);
      try (var session = new Session(data, held)) {
        if (ranks.isFirst() && resume) session.restore();
        session.trainer.agree();
        return session.run(interruption);
      } catch (OutOfDeviceMemory e) {
        if (ranks.isFirst() && new CheckpointStore(folder, plan.keep(), warnings).list().isEmpty()) withdraw();
        throw e;
      }
    }
  }

  /** What has not come far enough to be resumed leaves the folder to another try, with other options. */
  private void withdraw() {
    try {
      for (var file : List.of(RunPlan.FILE, MetricsLog.FILE)) Files.deleteIfExists(folder.resolve(file));
    } catch (IOException e) {
      warnings.accept("Cannot delete " + folder.resolve(RunPlan.FILE) + " (" + Disk.reason(e) + "); delete it before another try there");
    }
  }

  /** The run while it is in memory. */
  private final class Session implements AutoCloseable {
    private final Dataset data;
    private final Loader validation;
    private final Trainer trainer;
    private final CheckpointStore store = new CheckpointStore(folder, plan.keep(), warnings);
    private double seconds;
    private double validationLoss = Double.NaN;

    Session(Dataset data, Dataset held) {
      this.data = data;
      int length = plan.training().length();
      validation = Trainer.validationLoader(held, length);
      trainer = new Trainer(plan.model(), plan.training(), Loader.shuffled(data.train(), length, plan.training().seed()), device,
          Dtype.named(plan.dtype()), plan.execution(), ranks);
    }

    Outcome run(Interruption interruption) {
      var training = plan.training();
      double memory = trainer.footprint().total() / (double) (1 << 20);
      double flops = trainer.model().cost(training.length()).training();
      try (var log = ranks.isFirst() ? MetricsLog.after(trainer.stepsTaken(), folder) : MetricsLog.none();
          var progress = ranks.isFirst() ? Progress.start("train", "steps", training.steps()) : Progress.quiet()) {
        progress.stepTo(trainer.stepsTaken());
        boolean stopping = ranks.isAlone() && interruption.isRequested();
        while (!trainer.isDone() && !stopping) {
          var report = trainer.step(interruption.isRequested());
          if (!report.isFinite()) {
            if (ranks.isFirst()) throw notFinite(report);
            break;
          }
          // A wish that comes during a step is known to this rank alone, and ranks must stop after the same.
          stopping = ranks.isAlone() ? interruption.isRequested() : report.stopping();
          seconds += report.seconds();
          double rate = training.batchTokens() / report.seconds();
          log.write(new Metric(report.step(), report.tokens(), seconds, report.loss(), report.learningRate(), report.gradientNorm(), rate,
              rate * flops / peakFlops, memory, null));
          long step = report.step();
          boolean validates = step % plan.validateEvery() == 0 || trainer.isDone();
          if (validates) {
            validationLoss = trainer.validate(validation, plan.validationTokens());
            log.write(Metric.validation(step, report.tokens(), seconds, validationLoss));
          }
          boolean saves = step % plan.checkpointEvery() == 0 || trainer.isDone() || stopping;
          if (saves && ranks.isFirst()) save(validates);
          progress.stepTo(step);
          progress.note("loss %.3f%s, %,.0f tokens/s".formatted(report.loss(),
              Double.isNaN(validationLoss) ? "" : ", val %.3f".formatted(validationLoss), rate));
        }
      }
      return new Outcome(trainer.stepsTaken(), trainer.isDone(), validationLoss, seconds);
    }

    private UserError notFinite(StepReport report) {
      var last = store.latest().map(Checkpoint::folder).map(f -> "the last good checkpoint is " + f).orElse("no checkpoint was saved yet");
      return new UserError(
          "The loss or its gradient is not finite at step " + report.step() + " (loss " + report.loss() + ", gradient norm "
              + report.gradientNorm() + "); " + last + ": start again with a lower --lr or a longer --warmup");
    }

    private void save(boolean validated) {
      store.save(trainer.stepsTaken(), validated ? OptionalDouble.of(validationLoss) : OptionalDouble.empty(),
          trainer.content(data.tokenizer().name(), seconds));
    }

    void restore() {
      var checkpoint = store.latest();
      if (checkpoint.isEmpty()) return;
      var at = checkpoint.get().folder();
      var state = RunState.read(at);
      if (!state.model().equals(plan.model()) || !state.training().equals(plan.training())) {
        throw new UserError(
            at + " is the checkpoint of another config than " + RunPlan.FILE + "; restore that file or start a new run with another --out");
      }
      if (state.threads() != Device.threads() && device == Device.CPU) {
        warnings.accept("The run used " + state.threads() + " threads so far and has " + Device.threads()
            + " now: its losses will differ in the last digits");
      }
      try (var weights = Safetensors.open(at.resolve(RunState.WEIGHTS)); var optimizer = Safetensors.open(at.resolve(RunState.OPTIMIZER))) {
        trainer.restore(state.step(), weights.tensors(), optimizer.tensors());
      }
      seconds = state.seconds();
      validationLoss = checkpoint.get().validationLoss().orElse(Double.NaN);
    }

    @Override
    public void close() {
      trainer.close();
    }
  }
}
