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
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** One model in training: its weights, its optimizer and its place in the data, moved one step at a time. */
public final class Trainer implements AutoCloseable {
  private final TrainConfig config;
  private final Weights weights;
  private final Gpt model;
  private final AdamW optimizer;
  private final Schedule schedule;
  private final Feed feed;
  private final StepWork work;
  private final StepRunner runner;
  private long step;

  /** A fresh model; {@link #restore} replaces it by an earlier state. */
  public Trainer(ModelConfig modelConfig, TrainConfig config, Loader loader, Device device, Dtype dtype) {
    this(modelConfig, config, loader, device, dtype, Execution.GRAPH);
  }

  /** A fresh model whose steps reach the device in a way of choice, with the same results but for rounding. */
  public Trainer(ModelConfig modelConfig, TrainConfig config, Loader loader, Device device, Dtype dtype, Execution execution) {
    this.config = config;
    weights = new Weights(device, dtype, config.seed());
    model = new Gpt(modelConfig, weights);
    optimizer = new AdamW(weights, config);
    schedule = new Schedule(config);
    feed = new Feed(loader, config, device);
    work = new StepWork(config, model, optimizer, device);
    runner = new StepRunner(work::run, device, execution);
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
    return footprint(model, weights, config);
  }

  /** The memory that training a model by a recipe takes; the weights may be without memory themselves. */
  public static Footprint footprint(Gpt model, Weights weights, TrainConfig config) {
    return Footprint.of(model, weights, config.microBatch(), config.length());
  }

  /** One optimizer step. If its report is not finite, the weights were left as they were. */
  public StepReport step() {
    long start = System.nanoTime();
    double learningRate = schedule.learningRate(step);
    work.give(feed, learningRate);
    runner.run();
    feed.readAhead();
    var results = work.results();
    step++;
    return new StepReport(step, step * config.batchTokens(), results[0], learningRate, results[1], (System.nanoTime() - start) * 1e-9);
  }

  /** Windows from all over the held-out text, the same ones in the same order for every run. */
  public static Loader validationLoader(Dataset data, int length) {
    return Loader.shuffled(data.val(), length, 0);
  }

  /** The mean loss over the first {@code tokens} tokens of a {@link #validationLoader}, in nats a token. */
  public double validate(Loader validation, long tokens) {
    int length = config.length();
    validation.seek(0);
    long windows = Math.clamp(tokens / length, 1, validation.windows());
    double sum = 0;
    for (long done = 0; done < windows;) {
      int size = (int) Math.min(config.microBatch(), windows - done);
      try (var scope = Scope.withoutGradients()) {
        var batch = batch(validation, size, length, weights.device());
        sum += model.loss(batch.ids, batch.targets).item_double() * size;
      }
      done += size;
    }
    return sum / windows;
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

  @Override
  public void close() {
    runner.close();
    work.close();
    feed.close();
    optimizer.close();
    weights.close();
  }
}
