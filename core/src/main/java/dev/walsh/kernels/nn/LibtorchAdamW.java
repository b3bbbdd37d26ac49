package dev.walsh.kernels.nn;

import dev.walsh.tensor.BoxedOperator;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * AdamW by libtorch's fused kernel, once for the decayed weights and once for the others, on any device. Gradients are summed in the masters'
 * dtype.
 */
final class LibtorchAdamW implements AdamWUpdate {
  private static final BoxedOperator FUSED = new BoxedOperator("aten::_fused_adamw_", "tensor_lr");

  private final List<Parameter> parameters;
  private final Settings settings;
  private final Tensor stepCount;
  private final List<Tensor> sums = new ArrayList<>();

  LibtorchAdamW(List<Parameter> parameters, Settings settings, Tensor stepCount) {
    this.parameters = List.copyOf(parameters);
    this.settings = settings;
    this.stepCount = stepCount;
  }

  @Override
  public void accumulate(List<Tensor> gradients) {
    try (var scope = Scope.withoutGradients()) {
      boolean first = sums.isEmpty();
      for (int i = 0; i < gradients.size(); i++) {
        if (first) {
          sums.add(scope.keep(gradients.get(i).to(parameters.get(i).master().scalar_type())));
        } else {
          sums.get(i).add_(gradients.get(i));
        }
      }
    }
  }

  @Override
  public Tensor step(Tensor learningRate) {
    if (sums.isEmpty()) throw new IllegalStateException("a step without a pass before it");
    try (var scope = Scope.withoutGradients()) {
      var norms = new TensorVector();
      for (var sum : sums) norms.push_back(sum.norm());
      var norm = torch.stack(norms).norm();
      // The kernel takes float32 scalars, whatever the weights are.
      var spoilt = norm.isfinite().logical_not().to(Dtype.F32.scalarType());
      var divisor = norm.div(new Scalar(settings.clip())).clamp_min(new Scalar(1)).to(Dtype.F32.scalarType());
      stepCount.add_(spoilt.neg().add(new Scalar(1)));
      var rate = learningRate.to(Dtype.F32.scalarType());
      move(true, rate, divisor, spoilt);
      move(false, rate, divisor, spoilt);
      for (var p : parameters) {
        if (p.value() != p.master()) p.value().copy_(p.master());
      }
      release();
      return scope.escape(norm);
    }
  }

  private void move(boolean decayed, Tensor learningRate, Tensor gradientDivisor, Tensor skipped) {
    var masters = new ArrayList<Tensor>();
    var gradients = new ArrayList<Tensor>();
    var first = new ArrayList<Tensor>();
    var second = new ArrayList<Tensor>();
    for (int i = 0; i < sums.size(); i++) {
      var p = parameters.get(i);
      if (p.decayed() != decayed) continue;
      masters.add(p.master().detach());
      gradients.add(sums.get(i));
      first.add(p.firstMoment());
      second.add(p.secondMoment());
    }
    var noAmsgrad = BoxedOperator.list(List.of());
    FUSED.call(BoxedOperator.list(masters), BoxedOperator.list(gradients), BoxedOperator.list(first), BoxedOperator.list(second), noAmsgrad,
        BoxedOperator.list(Collections.nCopies(masters.size(), stepCount)), new IValue(learningRate), new IValue(settings.beta1()),
        new IValue(settings.beta2()), new IValue(decayed ? settings.weightDecay() : 0.0), new IValue(settings.epsilon()), new IValue(false),
        new IValue(false), new IValue(gradientDivisor), new IValue(skipped));
  }

  private void release() {
    sums.forEach(Tensor::close);
    sums.clear();
  }

  @Override
  public void close() {
    release();
  }
}
