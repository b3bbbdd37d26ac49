package dev.walsh.train;

import dev.walsh.config.TrainConfig;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Ranks;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * What one rank computes in one optimizer step, on tensors that stay where they are: its share of a batch and a learning rate go in, the loss
 * of the whole batch and a gradient norm come out, and nothing on the way is read back, so that a graph of the GPU can hold all of it.
 */
final class StepWork implements AutoCloseable {
  private final Share share;
  private final Gpt model;
  private final AdamW optimizer;
  private final Ranks ranks;
  private final @Nullable GradientExchange exchange;
  private final Tensor ids;
  private final Tensor targets;
  private final Tensor wish;
  // The loss, the ranks that wish to stop, and the gradient norm, so that all are fetched at once.
  private final Tensor results;

  /**
   * What came of a step.
   *
   * @param stopping whether a rank wished to stop after it
   */
  record Results(double loss, boolean stopping, double gradientNorm) {}

  StepWork(TrainConfig config, Share share, Gpt model, Weights weights, AdamW optimizer, Ranks ranks) {
    this.share = share;
    this.model = model;
    this.optimizer = optimizer;
    this.ranks = ranks;
    exchange = ranks.isAlone() ? null : new GradientExchange(weights, ranks, share.passes(), GradientExchange.BUCKET_BYTES);
    try (var scope = Scope.withoutGradients()) {
      var device = weights.device();
      long[] shape = {share.passes(), share.microBatch(), config.length()};
      ids = scope.keep(torch.zeros(shape, device.options(Dtype.I64)));
      targets = scope.keep(torch.zeros(shape, device.options(Dtype.I64)));
      wish = scope.keep(torch.zeros(new long[] {1}, device.options(Dtype.F64)));
      results = scope.keep(torch.zeros(new long[] {3}, device.options(Dtype.F64)));
    }
  }

  /** What the next {@link #run} works on, and whether this rank wishes to stop after it. */
  void give(Feed feed, double rate, boolean stop) {
    feed.next(ids, targets);
    optimizer.setLearningRate(rate);
    wish.fill_(new Scalar(stop ? 1.0 : 0.0));
  }

  /** The passes of a step, then the optimizer. */
  void run() {
    try (var scope = Scope.open()) {
      results.zero_();
      results.narrow(0, 1, 1).copy_(wish);
      if (exchange != null) exchange.begin();
      for (int pass = 0; pass < share.passes(); pass++) pass(pass);
      if (exchange != null) optimizer.accumulate(exchange.gradients());
      ranks.sum(results.narrow(0, 0, 2));
      results.narrow(0, 2, 1).copy_(optimizer.step().view(1));
    }
  }

  /** One pass; the losses of all passes of all ranks add up to the mean over the batch, and so do their gradients. */
  private void pass(int pass) {
    try (var scope = Scope.open()) {
      double weight = 1.0 / (share.passes() * share.ranks());
      var loss = model.loss(ids.select(0, pass), targets.select(0, pass)).mul(new Scalar(weight));
      if (exchange == null) {
        loss.backward();
        optimizer.accumulate();
      } else {
        exchange.backward(loss);
      }
      results.narrow(0, 0, 1).add_(loss.detach());
    }
  }

  /** The results of the latest run; waits for it. */
  Results results() {
    var read = Memory.doubles(results);
    return new Results(read[0], read[1] > 0, read[2]);
  }

  @Override
  public void close() {
    if (exchange != null) exchange.close();
    for (var t : new Tensor[] {ids, targets, wish, results}) t.close();
  }
}
