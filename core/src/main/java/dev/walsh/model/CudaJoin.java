package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.kernels.wht.CudaJoinKernels;
import dev.walsh.kernels.wht.HadamardFactors;
import dev.walsh.kernels.wht.HadamardOrder;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** A join on the GPU; as on the CPU, those without a transform run through the same kernels with the identity for H. */
final class CudaJoin implements FusedJoin {
  private final CudaJoinKernels.Shape shape;
  private final CudaJoinKernels kernels;

  private CudaJoin(CudaJoinKernels.Shape shape) {
    this.shape = shape;
    this.kernels = CudaJoinKernels.of(shape);
  }

  static CudaJoin identity(int width, boolean alpha, boolean beta, Dtype dtype) {
    return hadamard(HadamardFactors.of(HadamardOrder.of(1)), width, alpha, beta, dtype);
  }

  /** With H ⊗ I for H, I being of order {@code channels}. */
  static CudaJoin hadamard(HadamardFactors factors, int channels, boolean alpha, boolean beta, Dtype dtype) {
    return new CudaJoin(new CudaJoinKernels.Shape(factors, channels, alpha, beta, dtype));
  }

  @Override
  public Joined apply(Tensor y, Tensor x, Tensor alpha, Tensor beta, Tensor gain) {
    var call = new Call(y.contiguous(), x.contiguous(), alpha, beta, gain);
    if (CustomGradient.isWanted(y, x, alpha, beta, gain)) {
      CustomGradient.attach(List.of(y, x, alpha, beta, gain), List.of(call.xOut, call.n), call::backward);
    }
    return new Joined(call.xOut, call.n);
  }

  /** One forward pass and what its backward needs of it. */
  private final class Call {
    private final long rows;
    private final Tensor y;
    private final Tensor alpha;
    private final Tensor gain;
    private final Tensor xOut;
    private final Tensor n;

    Call(Tensor y, Tensor x, Tensor alpha, Tensor beta, Tensor gain) {
      this.y = y;
      this.alpha = alpha;
      this.gain = gain;
      rows = x.numel() / x.size(-1);
      try (var scope = Scope.withoutGradients()) {
        xOut = scope.escape(torch.empty_like(x));
        n = scope.escape(torch.empty_like(x));
        kernels.forward(rows, y, x, alpha, beta, gain, xOut, n, ModelConfig.NORM_EPSILON);
      }
    }

    List<@Nullable Tensor> backward(List<@Nullable Tensor> given) {
      var dxOut = contiguous(given.get(0));
      var dn = contiguous(given.get(1));
      // Where nothing stands between y and x', their gradients are one, and the kernel leaves y's alone.
      boolean apart = shape.alpha() || shape.channels() == 1;
      var dx = torch.empty_like(y);
      var dy = apart ? torch.empty_like(y) : dx;
      var partial = torch.empty(new long[] {kernels.backwardBlocks(rows), 3, gain.numel()}, Device.CUDA.options(Dtype.F32), null);
      var dAlpha = torch.empty_like(gain);
      var dBeta = torch.empty_like(gain);
      var dGain = torch.empty_like(gain);
      kernels.backward(rows, y, xOut, dxOut, dn, alpha, gain, dy, dx, partial, dAlpha, dBeta, dGain, ModelConfig.NORM_EPSILON);
      return Arrays.asList(dy, dx, dAlpha, dBeta, dGain);
    }

    private static @Nullable Tensor contiguous(@Nullable Tensor gradient) {
      return gradient == null ? null : gradient.contiguous();
    }
  }
}
