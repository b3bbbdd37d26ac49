package dev.walsh.study;

import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import dev.walsh.train.Footprint;
import dev.walsh.train.Metric;
import dev.walsh.train.MetricsLog;
import dev.walsh.train.Trainer;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * What the runs of one arm showed: its sizes from its config, all else from the {@code metrics.jsonl} of its seeds.
 *
 * @param parameters trainable scalars
 * @param attentionParameters those of attention, its output projection included
 * @param flopsAToken operations of a training step, for one token
 * @param memory bytes held in training
 * @param seeds a run each
 */
record ArmResult(String name, long parameters, long attentionParameters, double flopsAToken, Footprint memory, List<Seed> seeds) {
  /** The share of the last steps over which the training loss is averaged. */
  private static final double LAST_SHARE = 0.05;

  /** One run's log. */
  record Seed(List<Metric> steps, List<Metric> validations) {
    static Seed read(Path run) {
      var metrics = MetricsLog.read(run);
      return new Seed(metrics.stream().filter(m -> m.loss() != null).toList(),
          metrics.stream().filter(m -> m.validationLoss() != null).toList());
    }

    /** Nats a token after the last validated step; NaN where none was. */
    double validationLoss() {
      return validations.isEmpty() ? Double.NaN : Objects.requireNonNull(validations.getLast().validationLoss());
    }

    /** The mean loss of the last steps, in nats a token. */
    double trainLoss() {
      int last = Math.max(1, (int) Math.round(steps.size() * LAST_SHARE));
      return steps.stream().skip(steps.size() - last).mapToDouble(m -> Objects.requireNonNull(m.loss())).average().orElse(Double.NaN);
    }

    /** The median over the steps, which a busy machine moves least. */
    double tokensPerSecond() {
      var sorted = steps.stream().mapToDouble(m -> Objects.requireNonNull(m.tokensPerSecond())).sorted().toArray();
      return sorted.length == 0 ? Double.NaN : sorted[sorted.length / 2];
    }
  }

  static ArmResult read(ComparisonRecord comparison, Arm arm, Path out) {
    var weights = new Weights(Device.META, Dtype.named(comparison.dtype()), 0);
    try {
      var model = new Gpt(arm.model(), weights);
      int length = comparison.recipe().length();
      var costs = model.costs(length);
      var seeds = IntStream.range(0, comparison.seeds()).mapToObj(seed -> Comparison.folder(out, arm, seed, comparison.seeds()))
          .map(Seed::read).toList();
      return new ArmResult(arm.name(), weights.elements(), Objects.requireNonNull(costs.get(Gpt.ATTENTION)).parameters(),
          model.cost(length).training(),
          Trainer.footprint(model, weights, comparison.recipe(), 1), seeds);
    } finally {
      weights.close();
    }
  }

  private double mean(ToDoubleFunction<Seed> figure) {
    return seeds.stream().mapToDouble(figure).average().orElse(Double.NaN);
  }

  double validationLoss() {
    return mean(Seed::validationLoss);
  }

  double trainLoss() {
    return mean(Seed::trainLoss);
  }

  double tokensPerSecond() {
    return mean(Seed::tokensPerSecond);
  }
}
