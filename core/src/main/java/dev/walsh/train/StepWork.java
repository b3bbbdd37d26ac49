package dev.walsh.train;

import dev.walsh.config.TrainConfig;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * What one optimizer step computes, on tensors that stay where they are: a batch and a learning rate go in, a loss and a gradient norm come
 * out, and nothing on the way is read back, so that a graph of the GPU can hold all of it.
 */
final class StepWork implements AutoCloseable {
  private final TrainConfig config;
  private final Gpt model;
  private final AdamW optimizer;
  private final Tensor ids;
  private final Tensor targets;
  // Loss and gradient norm, so that both are fetched at once.
  private final Tensor results;

  StepWork(TrainConfig config, Gpt model, AdamW optimizer, Device device) {
    this.config = config;
    this.model = model;
    this.optimizer = optimizer;
    try (var scope = Scope.withoutGradients()) {
      long[] shape = {config.accumulation(), config.microBatch(), config.length()};
      ids = scope.keep(torch.zeros(shape, device.options(Dtype.I64)));
      targets = scope.keep(torch.zeros(shape, device.options(Dtype.I64)));
      results = scope.keep(torch.zeros(new long[] {2}, device.options(Dtype.F64)));
    }
  }

  /** What the next {@link #run} works on. */
  void give(Feed feed, double rate) {
    feed.next(ids, targets);
    optimizer.setLearningRate(rate);
  }

  /** The passes of a step, then the optimizer. */
  void run() {
    try (var scope = Scope.open()) {
      results.zero_();
      for (int pass = 0; pass < config.accumulation(); pass++) pass(pass);
      results.narrow(0, 1, 1).copy_(optimizer.step().view(1));
    }
  }

  private void pass(int pass) {
    try (var scope = Scope.open()) {
      var loss = model.loss(ids.select(0, pass), targets.select(0, pass)).mul(new Scalar(1.0 / config.accumulation()));
      loss.backward();
      optimizer.accumulate();
      results.narrow(0, 0, 1).add_(loss.detach());
    }
  }

  /** Loss and gradient norm of the latest run; waits for it. */
  double[] results() {
    return Memory.doubles(results);
  }

  @Override
  public void close() {
    for (var t : new Tensor[] {ids, targets, results}) t.close();
  }
}
