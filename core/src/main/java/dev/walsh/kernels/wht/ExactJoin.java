package dev.walsh.kernels.wht;

import dev.walsh.config.ModelConfig;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The join in float64 by libtorch's operators and its own derivative, on the tensors' device, some rows at a time. */
final class ExactJoin {
  private static final long ROWS_AT_ONCE = 4096;

  private final Tensor left;
  private final Tensor right;

  /** With H ⊗ I as left ⊗ right, a row read as a matrix Y becomes leftᵀ·Y·right. */
  ExactJoin(Device device, HadamardFactors factors, int channels) {
    var wide = device.options(Dtype.F64);
    var split = factors.split();
    left = square(channels > 1 ? factors.dense() : split.left().dense()).to(wide, false, false, null);
    right = channels > 1 ? torch.eye(channels, wide) : square(split.right().dense()).to(wide, false, false, null);
  }

  private static Tensor square(double[] matrix) {
    long order = Math.round(Math.sqrt(matrix.length));
    return Memory.tensor(matrix, order, order);
  }

  /**
   * The largest relative errors of what a forward and a backward pass wrote.
   *
   * @param forward of x' and n
   * @param backward of the gradients of y, x, alpha, beta and gain
   */
  record Errors(double forward, double backward) {}

  Errors of(JoinTensors t) {
    try (var scope = Scope.open()) {
      var weights = leaves(List.of(t.alpha, t.beta, t.gain));
      double forward = 0;
      double backward = 0;
      for (long at = 0; at < t.rows; at += ROWS_AT_ONCE) {
        long first = at;
        long count = Math.min(ROWS_AT_ONCE, t.rows - at);
        try (var chunk = Scope.open()) {
          var inputs = leaves(List.of(t.y.narrow(0, first, count), t.x.narrow(0, first, count)));
          var xOut = inputs.get(1).add(mix(inputs.get(0)).mul(weights.get(0))).add(weights.get(1));
          var meanSquare = xOut.mul(xOut).mean(new long[] {1}, true, new ScalarTypeOptional());
          var n = xOut.mul(meanSquare.add(new Scalar(ModelConfig.NORM_EPSILON)).rsqrt()).mul(weights.get(2));
          xOut.mul(t.dxOut.narrow(0, first, count)).sum().add(n.mul(t.dn.narrow(0, first, count)).sum()).backward();
          forward = worst(forward, t.xOut.narrow(0, first, count), xOut.detach());
          forward = worst(forward, t.n.narrow(0, first, count), n.detach());
          backward = worst(backward, t.dy.narrow(0, first, count), inputs.get(0).grad());
          backward = worst(backward, t.dx.narrow(0, first, count), inputs.get(1).grad());
        }
      }
      var gradients = List.of(t.dAlpha, t.dBeta, t.dGain);
      for (int i = 0; i < gradients.size(); i++) backward = worst(backward, gradients.get(i), weights.get(i).grad());
      return new Errors(forward, backward);
    }
  }

  private static List<Tensor> leaves(List<Tensor> tensors) {
    var leaves = new ArrayList<Tensor>();
    for (var t : tensors) leaves.add(t.to(Dtype.F64.scalarType(), false, true, null).set_requires_grad(true));
    return leaves;
  }

  private Tensor mix(Tensor y) {
    return torch.matmul(left.t(), torch.matmul(y.reshape(-1, left.size(0), right.size(0)), right)).reshape(y.shape());
  }

  /** NaN stays. */
  private static double worst(double before, Tensor actual, Tensor exact) {
    return Math.max(before, Tolerance.error(actual, exact));
  }
}
