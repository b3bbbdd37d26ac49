package dev.walsh.study;

import dev.walsh.checkpoint.CheckpointStore;
import dev.walsh.checkpoint.RunLock;
import dev.walsh.config.UserError;
import dev.walsh.data.Dataset;
import dev.walsh.data.Loader;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.train.Metric;
import dev.walsh.train.MetricsLog;
import dev.walsh.train.RunPlan;
import dev.walsh.train.Trainer;
import java.nio.file.Path;
import java.util.OptionalDouble;
import java.util.function.Consumer;

/** One arm under one seed while it trains: a run folder like that of {@code walsh train}, moved a few steps at a time. */
final class ArmRun implements AutoCloseable {
  private final RunPlan plan;
  private final Path folder;
  private final RunLock lock;
  private final MetricsLog log;
  private final Trainer trainer;
  private final Loader validation;
  private final String tokenizer;
  private double seconds;
  private double validationLoss = Double.NaN;

  ArmRun(RunPlan plan, Path folder, Dataset data, Device device) {
    this.plan = plan;
    this.folder = folder;
    var recipe = plan.training();
    lock = RunLock.acquire(folder);
    plan.write(folder);
    log = MetricsLog.after(-1, folder);
    trainer = new Trainer(plan.model(), recipe, Loader.shuffled(data.train(), recipe.length(), recipe.seed()), device,
        Dtype.named(plan.dtype()));
    validation = Trainer.validationLoader(data, recipe.length());
    tokenizer = data.tokenizer().name();
  }

  /** Takes up to {@code steps} steps. */
  void turn(int steps, double peakFlops) {
    double memory = trainer.footprint().total() / (double) (1 << 20);
    double flopsAToken = trainer.model().cost(plan.training().length()).training();
    for (int i = 0; i < steps && !trainer.isDone(); i++) {
      var report = trainer.step();
      if (!report.isFinite()) {
        throw new UserError("The loss of " + folder + " is not finite at step " + report.step() + "; compare again with a lower --lr");
      }
      seconds += report.seconds();
      double rate = plan.training().batchTokens() / report.seconds();
      log.write(new Metric(report.step(), report.tokens(), seconds, report.loss(), report.learningRate(), report.gradientNorm(), rate,
          rate * flopsAToken / peakFlops, memory, null));
    }
  }

  void validate() {
    validationLoss = trainer.validate(validation, plan.validationTokens());
    log.write(Metric.validation(trainer.stepsTaken(), trainer.stepsTaken() * plan.training().batchTokens(), seconds, validationLoss));
  }

  long stepsTaken() {
    return trainer.stepsTaken();
  }

  void save(Consumer<String> warnings) {
    new CheckpointStore(folder, 1, warnings).save(trainer.stepsTaken(), OptionalDouble.of(validationLoss),
        trainer.content(tokenizer, seconds));
  }

  @Override
  public void close() {
    trainer.close();
    log.close();
    lock.close();
  }
}
