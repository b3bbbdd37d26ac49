package dev.walsh.train;

import dev.walsh.checkpoint.AtomicFolder;
import dev.walsh.checkpoint.RunState;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.TrainConfig;
import dev.walsh.data.Dataset;
import dev.walsh.data.Loader;
import dev.walsh.kernels.wht.HadamardFactors;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.GraphRunner;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Ranks;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** One model in training: its weights, its optimizer and its place in the data, moved one step at a time. */
public final class Trainer implements AutoCloseable {
  private final TrainConfig config;
  private final Ranks ranks;
  private final Share share;
  private final Demand demand;
  private final Weights weights;
  private final Gpt model;
  private final AdamW optimizer;
  private final Schedule schedule;
  private final Feed feed;
  private final StepWork work;
  private final GraphRunner runner;
  private long step;

  /** A fresh model; {@link #restore} replaces it by an earlier state. */
  public Trainer(ModelConfig modelConfig, TrainConfig config, Loader loader, Device device, Dtype dtype) {
    this(modelConfig, config, loader, device, dtype, Execution.GRAPH, Ranks.alone());
  }

  /**
   * A fresh model whose steps are run in a way of choice and shared among ranks, with the same results but for rounding. All
   * ranks then call the same methods in the same order.
   *
   * @throws dev.walsh.config.UserError where so many ranks cannot share a step's batch
   * @throws OutOfDeviceMemory here and in all that follows, where the device has too little
   */
  public Trainer(ModelConfig modelConfig, TrainConfig config, Loader loader, Device device, Dtype dtype, Execution execution, Ranks ranks) {
    this.config = config;
    this.ranks = ranks;
    share = Share.of(config, ranks.rank(), ranks.size());
    schedule = new Schedule(config);
    demand = Demand.of(modelConfig, config, ranks.size(), device, dtype, execution);
    try {
      weights = new Weights(device, dtype, config.seed());
      model = new Gpt(modelConfig, weights, execution.kernels());
      // The exchange between ranks adds up the passes itself.
      optimizer = new AdamW(weights, config, ranks.isAlone() ? share.passes() : 1);
      feed = new Feed(loader, share, device);
      work = new StepWork(config, share, model, weights, optimizer, ranks);
      runner = new GraphRunner("The training step", work::run, device == Device.CUDA && execution.graph());
    } catch (RuntimeException e) {
      throw demand.orShortage(e);
    }
  }

  /** Optimizer steps taken so far. */
  public long stepsTaken() {
    return step;
  }

  public boolean isDone() {
    return step >= config.steps();
  }

  public Gpt model() {
    return model;
  }

  public Weights weights() {
    return weights;
  }

  public Footprint footprint() {
    return footprint(model, weights, config, share.ranks());
  }

  /** The memory that one of {@code ranks} takes to train a model by a recipe, where the weights are; without memory, as on the CPU. */
  public static Footprint footprint(Gpt model, Weights weights, TrainConfig config, int ranks) {
    return Footprint.of(model, weights, weights.device(), Share.of(config, 0, ranks), config.length());
  }

  /** One optimizer step. If its report is not finite, the weights were left as they were. */
  public StepReport step() {
    return step(false);
  }

  /** One optimizer step, and a wish for it to be the last: if any rank has it, all reports say so. */
  public StepReport step(boolean stop) {
    return demand.meet(() -> take(stop));
  }

  private StepReport take(boolean stop) {
    long start = System.nanoTime();
    double learningRate = schedule.learningRate(step);
    work.give(feed, learningRate, stop);
    runner.run();
    feed.readAhead();
    var results = work.results();
    step++;
    return new StepReport(step, step * config.batchTokens(), results.loss(), learningRate, results.gradientNorm(),
        (System.nanoTime() - start) * 1e-9, results.stopping());
  }

  /** Windows from all over the held-out text, the same ones in the same order for every run. */
  public static Loader validationLoader(Dataset data, int length) {
    return Loader.shuffled(data.val(), length, 0);
  }

  /** The mean loss over the first {@code tokens} tokens of a {@link #validationLoader}, in nats a token; each rank computes a part of it. */
  public double validate(Loader validation, long tokens) {
    return demand.meet(() -> meanLoss(validation, tokens));
  }

  private double meanLoss(Loader validation, long tokens) {
    int length = config.length();
    long windows = Math.clamp(tokens / length, 1, validation.windows());
    long end = windows * (share.rank() + 1) / share.ranks();
    long begin = windows * share.rank() / share.ranks();
    validation.seek(begin);
    try (var scope = Scope.withoutGradients()) {
      var sum = torch.zeros(new long[] {1}, weights.device().options(Dtype.F64));
      for (long done = begin; done < end;) {
        int size = (int) Math.min(share.microBatch(), end - done);
        try (var inner = Scope.withoutGradients()) {
          var batch = batch(validation, size, length, weights.device());
          sum.add_(new Scalar(model.loss(batch.ids, batch.targets).item_double() * size));
        }
        done += size;
      }
      ranks.sum(sum);
      return sum.item_double() / windows;
    }
  }

  private record Batch(Tensor ids, Tensor targets) {}

  private static Batch batch(Loader loader, int sequences, int length, Device device) {
    var ids = new long[sequences * length];
    var targets = new long[sequences * length];
    loader.next(sequences, ids, targets);
    return new Batch(onDevice(Memory.tensor(ids, sequences, length), device), onDevice(Memory.tensor(targets, sequences, length), device));
  }

  private static Tensor onDevice(Tensor t, Device device) {
    return device == Device.CPU ? t : t.to(device.options(Dtype.I64), false, false, null);
  }

  /** What a checkpoint of this moment holds. */
  public AtomicFolder.Content content(String tokenizer, double seconds) {
    return files -> {
      files.tensors(RunState.WEIGHTS, weights.masters(), Map.of("format", "pt"));
      files.tensors(RunState.OPTIMIZER, optimizer.tensors(), Map.of());
      files.json(RunState.FILE, state(tokenizer, seconds));
    };
  }

  private RunState state(String tokenizer, double seconds) {
    var shape = model.config();
    return new RunState(RunState.VERSION, shape, config, tokenizer, weights.dtype().toString(), Device.threads(), step,
        step * config.batch(),
        seconds, HadamardFactors.of(shape));
  }

  /** Goes back to a state in which {@code steps} steps were taken; weights and optimizer tensors are copied. */
  public void restore(long steps, Map<String, Tensor> savedWeights, Map<String, Tensor> savedOptimizer) {
    weights.load(savedWeights);
    optimizer.load(savedOptimizer);
    step = steps;
    feed.seek(steps);
  }

  /** Gives all ranks the state of rank 0, which alone need have been restored. */
  public void agree() {
    if (ranks.isAlone()) return;
    try (var scope = Scope.withoutGradients()) {
      var place = torch.full(new long[] {1}, new Scalar(step), weights.device().options(Dtype.I64));
      ranks.broadcast(place);
      step = place.item_long();
      for (var state : List.of(weights.masters(), optimizer.tensors())) state.values().forEach(ranks::broadcast);
      weights.refresh();
    }
    feed.seek(step);
  }

  @Override
  public void close() {
    runner.close();
    work.close();
    feed.close();
    optimizer.close();
    weights.close();
  }
}
