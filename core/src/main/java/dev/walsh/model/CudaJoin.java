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
import org.bytedeco.pytorch.GradMode;
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
    var rows = x.contiguous();
    var from = y.contiguous();
    Tensor xOut;
    Tensor n;
    try (var scope = Scope.withoutGradients()) {
      xOut = scope.escape(torch.empty_like(rows));
      n = scope.escape(torch.empty_like(rows));
      kernels.forward(count(rows), from, rows, alpha, beta, gain, xOut, n, ModelConfig.NORM_EPSILON, !GradMode.is_enabled());
    }
    if (CustomGradient.isWanted(y, x, alpha, beta, gain)) {
      CustomGradient.attach(List.of(y, x, alpha, beta, gain), List.of(xOut, n), given -> {
        var g = gradients(from, xOut, alpha, gain, given);
        return Arrays.asList(g.dy, g.dx, g.dAlpha, g.dBeta, g.dGain);
      });
    }
    return new Joined(xOut, n, () -> normed(xOut, gain));
  }

  /** The norm alone, of a residual stream to which a product has been added: x: (B,T,C), gain: (C) -> x and n. Of the identity alone. */
  Joined norm(Tensor x, Tensor gain) {
    var rows = x.contiguous();
    Tensor through;
    Tensor n;
    try (var scope = Scope.withoutGradients()) {
      through = scope.escape(rows.detach());
      n = scope.escape(normed(rows, gain));
    }
    if (!CustomGradient.isWanted(x, gain)) return new Joined(x, n, () -> normed(rows, gain));
    CustomGradient.attach(List.of(x, gain), List.of(through, n), given -> {
      var g = gradients(through, through, gain, gain, given);
      return Arrays.asList(g.dx, g.dGain);
    });
    return new Joined(through, n, () -> normed(through, gain));
  }

  /** Contiguous rows, normed: by the kernel of the identity, which adds up a row as that of every matrix does. */
  private Tensor normed(Tensor rows, Tensor gain) {
    var n = torch.empty_like(rows);
    CudaJoinKernels.of(shape.withoutProjection()).norm(count(rows), rows, gain, n, ModelConfig.NORM_EPSILON);
    return n;
  }

  private static long count(Tensor rows) {
    return rows.numel() / rows.size(-1);
  }

  private record Gradients(Tensor dy, Tensor dx, Tensor dAlpha, Tensor dBeta, Tensor dGain) {}

  /** @param given the gradients of x' and n, null for zero */
  private Gradients gradients(Tensor y, Tensor xOut, Tensor alpha, Tensor gain, List<@Nullable Tensor> given) {
    // Where nothing stands between y and x', their gradients are one, and the kernel leaves y's alone.
    boolean apart = shape.alpha() || shape.channels() == 1;
    long rows = count(xOut);
    var dx = torch.empty_like(xOut);
    var dy = apart ? torch.empty_like(xOut) : dx;
    var partial = torch.empty(new long[] {kernels.backwardBlocks(rows), 3, gain.numel()}, Device.CUDA.options(Dtype.F32), null);
    var dAlpha = torch.empty_like(gain);
    var dBeta = torch.empty_like(gain);
    var dGain = torch.empty_like(gain);
    kernels.backward(rows, y, xOut, contiguous(given.get(0)), contiguous(given.get(1)), alpha, gain, dy, dx, partial, dAlpha, dBeta, dGain,
        ModelConfig.NORM_EPSILON);
    return new Gradients(dy, dx, dAlpha, dBeta, dGain);
  }

  private static @Nullable Tensor contiguous(@Nullable Tensor gradient) {
    return gradient == null ? null : gradient.contiguous();
  }
}
