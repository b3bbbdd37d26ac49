package dev.walsh.train;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.TrainConfig;
import dev.walsh.data.Loader;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Ranks;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import dev.walsh.tensor.Weights.Decay;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The training step by the clock, as {@code walsh train} runs it: checked against float32 first, then timed while it learns from shards. */
public final class TrainBenchmark {
  /** bf16 has three digits, and a fresh model's loss is known to about as many. */
  private static final double TOLERANCE = 0.02;
  private static final int WARM_UP = 5;

  private TrainBenchmark() {}

  /**
   * What was measured.
   *
   * @param lossError how far the loss of the fresh model on one sequence is from that in float32, in nats
   * @param firstLoss of the first step
   * @param lastLoss of the last
   * @param seconds the median of a step, from asking for it to having its loss
   * @param flops matrix products of a step as they are usually counted: 6 a token and matrix element, the head included, and 6 L T d for
   *   attention, half of whose scores are masked
   * @param moved bytes of a step and rank that its other kernels and the optimizer read and write at least
   * @param memoryBytes of the GPU in use at the end; 0 on the CPU
   * @param footprint what training holds, computed
   * @param profile where the time of one more step goes; null where nothing records it
   */
  public record Result(double lossError, double firstLoss, double lastLoss, double seconds, double flops, double moved, long memoryBytes,
      Footprint footprint, @Nullable StepProfile profile) {}

  /** Checks, then times {@code steps} steps that ranks share. */
  public static Result run(ModelConfig shape, TrainConfig recipe, Loader loader, Device device, Dtype dtype, Execution execution,
      Ranks ranks, int steps) {
    var demand = Demand.of(shape, recipe, ranks.size(), device, dtype, execution);
    double error = dtype == Dtype.F32
        ? 0
        : demand.meet(() -> Math.abs(freshLoss(shape, loader, device, dtype) - freshLoss(shape, loader, device, Dtype.F32)));
    if (!(error <= TOLERANCE)) throw new IllegalStateException("the loss of a fresh model is " + error + " nats from that in float32");
    device.freeUnused();
    loader.seek(0);
    try (var trainer = new Trainer(shape, recipe, loader, device, dtype, execution, ranks)) {
      double first = trainer.step().loss();
      for (int i = 1; i < WARM_UP; i++) trainer.step();
      var seconds = new double[steps];
      double last = Double.NaN;
      for (int i = 0; i < steps; i++) {
        var report = trainer.step();
        seconds[i] = report.seconds();
        last = report.loss();
      }
      if (!(last < first)) throw new IllegalStateException("the loss did not fall: " + first + " at first, " + last + " at the end");
      Arrays.sort(seconds);
      // CUPTI takes memory too.
      long memory = device.bytesInUse();
      var profile = device == Device.CUDA ? StepProfile.of(trainer::step) : null;
      return new Result(error, first, last, seconds[steps / 2], flops(trainer, recipe), moved(trainer, recipe, ranks.size()),
          memory, trainer.footprint(), profile);
    } finally {
      device.freeUnused();
    }
  }

  private static double flops(Trainer trainer, TrainConfig recipe) {
    var shape = trainer.model().config();
    long matrices = trainer.weights().all().stream().filter(w -> w.decay() == Decay.DECAYED).mapToLong(Weights.Weight::elements).sum();
    return recipe.batchTokens() * (6.0 * matrices + 6.0 * shape.layers() * recipe.length() * shape.width());
  }

  private static double moved(Trainer trainer, TrainConfig recipe, int ranks) {
    var weights = trainer.weights();
    int narrow = weights.dtype().bytes();
    // The norm reads the gradient; the update reads it again, and reads and writes master and moments, and writes the value.
    double optimizer = weights.elements() * (3.0 * narrow + 6 * Dtype.F32.bytes());
    return trainer.model().cost(recipe.length()).moved() * narrow * recipe.batchTokens() / ranks + optimizer;
  }

  /** The loss of the initial weights on the first window. */
  private static double freshLoss(ModelConfig shape, Loader loader, Device device, Dtype dtype) {
    int length = loader.length();
    var ids = new long[length];
    var targets = new long[length];
    loader.seek(0);
    loader.next(1, ids, targets);
    var weights = new Weights(device, dtype, 0);
    try (var scope = Scope.withoutGradients()) {
      var options = device.options(Dtype.I64);
      return new Gpt(shape, weights).loss(Memory.tensor(ids, 1, length).to(options, false, false, null),
          Memory.tensor(targets, 1, length).to(options, false, false, null)).item_double();
    } finally {
      weights.close();
    }
  }
}
