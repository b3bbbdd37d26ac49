package dev.walsh.train;

import dev.walsh.config.TrainConfig;
import dev.walsh.tensor.BoxedOperator;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import dev.walsh.tensor.Weights.Decay;
import dev.walsh.tensor.Weights.Weight;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * AdamW with decoupled weight decay (arXiv 1711.05101) after clipping by the global norm. Gradients are summed in the masters' dtype over the
 * passes of a step; libtorch's fused kernel then moves the masters, once for the decayed weights and once for the others.
 */
final class AdamW implements AutoCloseable {
  private static final double EPSILON = 1e-8;
  private static final BoxedOperator FUSED = new BoxedOperator("aten::_fused_adamw_", "tensor_lr");

  private final Weights weights;
  private final TrainConfig config;
  private final Map<String, State> states = new LinkedHashMap<>();
  private final Tensor stepCount;

  /** What the optimizer keeps of one weight. */
  private static final class State {
    final Weight weight;
    final Tensor firstMoment;
    final Tensor secondMoment;
    @Nullable
    Tensor gradient;

    State(Weight weight, Scope scope) {
      this.weight = weight;
      firstMoment = scope.keep(torch.zeros_like(weight.master()));
      secondMoment = scope.keep(torch.zeros_like(weight.master()));
    }

    /** Takes the gradient that backward left at the value. */
    void take(Scope scope) {
      var fresh = weight.value().grad();
      if (!fresh.defined()) throw new IllegalStateException("backward left no gradient for " + weight.name());
      if (gradient == null) {
        gradient = scope.keep(fresh.to(weight.master().scalar_type()));
      } else {
        gradient.add_(fresh);
      }
      weight.value().mutable_grad().reset();
    }

    Tensor gradient() {
      if (gradient == null) throw new IllegalStateException("a step without a pass before it");
      return gradient;
    }

    void dropGradient() {
      gradient().close();
      gradient = null;
    }
  }

  AdamW(Weights weights, TrainConfig config) {
    this.weights = weights;
    this.config = config;
    try (var scope = Scope.withoutGradients()) {
      for (var weight : weights.all()) states.put(weight.name(), new State(weight, scope));
      stepCount = scope.keep(torch.zeros(new long[] {}, weights.device().options(Dtype.F32)));
    }
  }

  /** Adds the gradients of one pass to those of the step, and clears them where backward left them. */
  void accumulate() {
    try (var scope = Scope.withoutGradients()) {
      for (var state : states.values()) state.take(scope);
    }
  }

  /**
   * Moves all weights by the step's gradients, unless they are not finite. Nothing waits for the device.
   *
   * @param learningRate a float32 scalar on the weights' device
   * @return the global norm of the gradients before clipping, a scalar on the device
   */
  Tensor step(Tensor learningRate) {
    try (var scope = Scope.withoutGradients()) {
      var squares = new TensorVector();
      for (var state : states.values()) squares.push_back(state.gradient().norm());
      var norm = torch.stack(squares).norm();
      var spoilt = norm.isfinite().logical_not().to(Dtype.F32.scalarType());
      stepCount.add_(spoilt.neg().add(new Scalar(1)));
      var scale = norm.div(new Scalar(config.clip())).clamp_min(new Scalar(1)).to(Dtype.F32.scalarType());
      for (var decay : Decay.values()) move(decay, learningRate, scale, spoilt);
      weights.refresh();
      states.values().forEach(State::dropGradient);
      return scope.escape(norm);
    }
  }

  private void move(Decay decay, Tensor learningRate, Tensor gradientDivisor, Tensor skipped) {
    var group = states.values().stream().filter(s -> s.weight.decay() == decay).toList();
    var masters = new ArrayList<Tensor>();
    var gradients = new ArrayList<Tensor>();
    var first = new ArrayList<Tensor>();
    var second = new ArrayList<Tensor>();
    for (var state : group) {
      masters.add(state.weight.master().detach());
      gradients.add(state.gradient());
      first.add(state.firstMoment);
      second.add(state.secondMoment);
    }
    double weightDecay = decay == Decay.DECAYED ? config.weightDecay() : 0;
    var noAmsgrad = BoxedOperator.list(List.of());
    FUSED.call(BoxedOperator.list(masters), BoxedOperator.list(gradients), BoxedOperator.list(first), BoxedOperator.list(second), noAmsgrad,
        BoxedOperator.list(Collections.nCopies(group.size(), stepCount)), new IValue(learningRate), new IValue(config.beta1()),
        new IValue(config.beta2()), new IValue(weightDecay), new IValue(EPSILON), new IValue(false), new IValue(false),
        new IValue(gradientDivisor), new IValue(skipped));
  }

  /** The moments by name, and the number of steps: what a checkpoint keeps. */
  Map<String, Tensor> tensors() {
    var tensors = new LinkedHashMap<String, Tensor>();
    states.forEach((name, state) -> {
      tensors.put(name + ".first_moment", state.firstMoment);
      tensors.put(name + ".second_moment", state.secondMoment);
    });
    tensors.put("step", stepCount);
    return tensors;
  }

  /** Copies what {@link #tensors} gave. */
  void load(Map<String, Tensor> saved) {
    Weights.copy(saved, tensors(), "the optimizer state is that of another model");
  }

  @Override
  public void close() {
    tensors().values().forEach(Tensor::close);
  }
}
