package dev.walsh.kernels.nn;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Fallback;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * What moves weights by their gradients: AdamW with decoupled weight decay (arXiv 1711.05101), after clipping by the global norm. A gradient
 * that is not finite moves nothing. Nothing waits for the device, so that a graph of the GPU can hold a step.
 */
public sealed interface AdamWUpdate extends AutoCloseable permits FusedAdamW, CpuAdamW, LibtorchAdamW {
  /**
   * One weight.
   *
   * @param master float32 or wider, what a step moves
   * @param value the master rounded to what the model computes in: the master itself where both dtypes are one
   * @param firstMoment of the master's dtype and shape
   * @param secondMoment likewise
   * @param decayed whether weight decay applies
   */
  record Parameter(Tensor master, Tensor value, Tensor firstMoment, Tensor secondMoment, boolean decayed) {}

  /** The constants of AdamW, and the largest global norm of a gradient. */
  record Settings(double beta1, double beta2, double weightDecay, double epsilon, double clip) {}

  /**
   * Our kernels where the device and the dtype have them, else libtorch's.
   *
   * @param parameters contiguous, all on one device; they stay where they are as long as the result lives
   * @param stepCount a float32 scalar on the device: the steps taken so far, which every step counts up
   * @param passes the number of passes of a step
   */
  static AdamWUpdate create(Device device, List<Parameter> parameters, Settings settings, Tensor stepCount, int passes) {
    boolean wideMasters = Dtype.of(parameters.getFirst().master()) == Dtype.F32;
    if (device == Device.CPU && wideMasters && Dtype.of(parameters.getFirst().value()) == Dtype.BF16) {
      return new CpuAdamW(parameters, settings, stepCount);
    }
    var fused = device == Device.CUDA && wideMasters
        ? Fallback.orNone("Steps of AdamW", () -> new FusedAdamW(parameters, settings, stepCount, passes > 1))
        : null;
    return fused == null ? new LibtorchAdamW(parameters, settings, stepCount) : fused;
  }

  /**
   * Adds the gradients of one pass to those of the step.
   *
   * @param gradients of the values' dtype and shapes, in the order of the parameters; nobody else's from here on, since a step may write on them
   */
  void accumulate(List<Tensor> gradients);

  /**
   * Moves all weights by the sum of the gradients of the passes since the last step, unless they are not finite.
   *
   * @param learningRate a float64 scalar on the device
   * @return the global norm of the gradients before clipping: a scalar on the device, good until the next step
   */
  Tensor step(Tensor learningRate);

  @Override
  void close();
}
