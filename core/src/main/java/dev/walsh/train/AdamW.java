package dev.walsh.train;

import dev.walsh.config.TrainConfig;
import dev.walsh.kernels.nn.AdamWUpdate;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import dev.walsh.tensor.Weights.Decay;
import dev.walsh.tensor.Weights.Weight;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The optimizer of a training run: the moments of weights by name, moved with them by {@link AdamWUpdate}. */
final class AdamW implements AutoCloseable {
  private static final double EPSILON = 1e-8;

  private final List<Weight> weights;
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final Tensor learningRate;
  private final AdamWUpdate update;

  /** Of all weights of a model. */
  AdamW(Weights weights, TrainConfig config, int passes) {
    this(weights.all(), weights.device(), config, passes);
  }

  /** @param passes of a step: how often gradients are accumulated */
  AdamW(Collection<Weight> moved, Device device, TrainConfig config, int passes) {
    weights = List.copyOf(moved);
    try (var scope = Scope.withoutGradients()) {
      var parameters = new ArrayList<AdamWUpdate.Parameter>();
      for (var weight : weights) {
        var first = scope.keep(torch.zeros_like(weight.master()));
        var second = scope.keep(torch.zeros_like(weight.master()));
        tensors.put(weight.name() + ".first_moment", first);
        tensors.put(weight.name() + ".second_moment", second);
        parameters.add(new AdamWUpdate.Parameter(weight.master(), weight.value(), first, second, weight.decay() == Decay.DECAYED));
      }
      var stepCount = scope.keep(torch.zeros(new long[] {}, device.options(Dtype.F32)));
      tensors.put("step", stepCount);
      learningRate = scope.keep(torch.zeros(new long[] {}, device.options(Dtype.F64)));
      update = AdamWUpdate.create(device, parameters,
          new AdamWUpdate.Settings(config.beta1(), config.beta2(), config.weightDecay(), EPSILON, config.clip()), stepCount,
          passes);
    }
  }

  /** Adds the gradients of one pass to those of the step, and clears them where backward left them. */
  void accumulate() {
    try (var scope = Scope.withoutGradients()) {
      accumulate(weights.stream().map(AdamW::take).toList());
    }
  }

  /** Adds gradients that are elsewhere, in the order of the weights, to those of the step, which may move them and scale them there. */
  void accumulate(List<Tensor> gradients) {
    update.accumulate(gradients);
  }

  private static Tensor take(Weight weight) {
    // grad() is but a reference to where the gradient is kept.
    var gradient = new Tensor(weight.value().grad());
    if (!gradient.defined()) throw new IllegalStateException("backward left no gradient for " + weight.name());
    weight.value().mutable_grad().reset();
    return gradient;
  }

  /** What the steps from here on go by; written on the device, so that it holds for a captured step too. */
  void setLearningRate(double rate) {
    try (var scope = Scope.withoutGradients()) {
      learningRate.fill_(new Scalar(rate));
    }
  }

  /**
   * Moves all weights by the step's gradients, unless they are not finite. Nothing waits for the device.
   *
   * @return the global norm of the gradients before clipping: a scalar on the device, good until the next step
   */
  Tensor step() {
    return update.step(learningRate);
  }

  /** The moments by name, and the number of steps: what a checkpoint keeps. */
  Map<String, Tensor> tensors() {
    return tensors;
  }

  /** Copies what {@link #tensors} gave. */
  void load(Map<String, Tensor> saved) {
    Weights.copy(saved, tensors, "the optimizer state is that of another model");
  }

  @Override
  public void close() {
    update.close();
    learningRate.close();
    tensors.values().forEach(Tensor::close);
  }
}
