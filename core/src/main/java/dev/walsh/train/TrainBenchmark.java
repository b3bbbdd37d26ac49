package dev.walsh.train;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.TrainConfig;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.Arrays;
import java.util.Random;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The training step by the clock: first checked against the same step in float32, then repeated. Its tokens are random, which costs a step
 * exactly what text does.
 */
public final class TrainBenchmark {
  /** bf16 has three digits, and a fresh model's loss is known to about as many. */
  private static final double TOLERANCE = 0.02;
  private static final int WARM_UP = 2;

  private TrainBenchmark() {}

  /**
   * What was measured.
   *
   * @param lossError how far the loss of the first step is from that in float32, in nats
   * @param seconds the median of a step
   * @param forward the median of its forward pass, in seconds
   * @param backward the median of its backward pass
   * @param optimizer the median of clipping and the optimizer
   * @param flopsAStep model FLOPs of a step
   * @param footprint what training holds
   */
  public record Result(double lossError, double seconds, double forward, double backward, double optimizer, double flopsAStep,
      Footprint footprint) {}

  /** Checks, then times {@code steps} steps of one pass each. */
  public static Result run(ModelConfig shape, TrainConfig recipe, Device device, Dtype dtype, int steps) {
    double reference = dtype == Dtype.F32 ? Double.NaN : firstLoss(shape, recipe, device);
    var weights = new Weights(device, dtype, recipe.seed());
    var model = new Gpt(shape, weights);
    var times = new double[3][steps];
    double first = Double.NaN;
    double last = Double.NaN;
    var rate = torch.full(new long[] {}, new Scalar(recipe.learningRate()), device.options(Dtype.F32));
    try (var optimizer = new AdamW(weights, recipe); var batch = new Batch(shape, recipe, device)) {
      for (int step = -WARM_UP; step < steps; step++) {
        try (var scope = Scope.open()) {
          long start = System.nanoTime();
          var loss = model.loss(batch.ids, batch.targets);
          last = loss.item_double();
          if (step == -WARM_UP) first = last;
          long forward = System.nanoTime();
          loss.backward();
          optimizer.accumulate();
          device.synchronize();
          long backward = System.nanoTime();
          optimizer.step(rate);
          device.synchronize();
          long end = System.nanoTime();
          if (step >= 0) {
            times[0][step] = (forward - start) * 1e-9;
            times[1][step] = (backward - forward) * 1e-9;
            times[2][step] = (end - backward) * 1e-9;
          }
        }
      }
    }
    var footprint = Footprint.of(model, weights, recipe.microBatch(), recipe.length());
    weights.close();
    double error = dtype == Dtype.F32 ? 0 : Math.abs(first - reference);
    if (!(error <= TOLERANCE))
      throw new IllegalStateException("the first loss is " + first + " in " + dtype + " but " + reference + " in float32");
    if (!(last < first)) throw new IllegalStateException("the loss did not fall: " + first + " at first, " + last + " at the end");
    var totals = new double[steps];
    for (int i = 0; i < steps; i++) totals[i] = times[0][i] + times[1][i] + times[2][i];
    double flops = model.cost(recipe.length()).training() * recipe.batchTokens();
    return new Result(error, median(totals), median(times[0]), median(times[1]), median(times[2]), flops, footprint);
  }

  private static double firstLoss(ModelConfig shape, TrainConfig recipe, Device device) {
    var weights = new Weights(device, Dtype.F32, recipe.seed());
    try (var scope = Scope.withoutGradients(); var batch = new Batch(shape, recipe, device)) {
      return new Gpt(shape, weights).loss(batch.ids, batch.targets).item_double();
    } finally {
      weights.close();
    }
  }

  private static double median(double[] values) {
    var sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }

  /** One batch, which every step sees again, so that the loss must fall. */
  private static final class Batch implements AutoCloseable {
    final Tensor ids;
    final Tensor targets;

    Batch(ModelConfig shape, TrainConfig recipe, Device device) {
      var random = new Random(recipe.seed());
      ids = tensor(random, shape, recipe, device);
      targets = tensor(random, shape, recipe, device);
    }

    private static Tensor tensor(Random random, ModelConfig shape, TrainConfig recipe, Device device) {
      try (var scope = Scope.open()) {
        var tokens = random.longs(recipe.batchTokens(), 0, shape.vocabulary()).toArray();
        return scope.keep(Memory.tensor(tokens, recipe.batch(), recipe.length()).to(device.options(Dtype.I64), false, false, null));
      }
    }

    @Override
    public void close() {
      ids.close();
      targets.close();
    }
  }
}
