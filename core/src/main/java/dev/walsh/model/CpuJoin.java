package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.kernels.wht.ElementType;
import dev.walsh.kernels.wht.HadamardFactors;
import dev.walsh.kernels.wht.HadamardJoin;
import dev.walsh.kernels.wht.HadamardOrder;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * A join on the CPU as one pass over memory and one node of the graph: x' = x + alpha ⊙ (y H) + beta and n = RMSNorm(x') ⊙ gain. Joins
 * without a transform run through the same kernel, with the identity for H, so that no arm of a comparison is faster for its plumbing.
 */
final class CpuJoin implements FusedJoin {
  private final HadamardJoin kernel;

  private CpuJoin(HadamardJoin kernel) {
    this.kernel = kernel;
  }

  static CpuJoin identity(int width) {
    return hadamard(HadamardFactors.of(HadamardOrder.of(1)), width);
  }

  /** With H ⊗ I for H, I being of order {@code channels}; on as many threads as libtorch uses, whose number a run records. */
  static CpuJoin hadamard(HadamardFactors factors, int channels) {
    return new CpuJoin(HadamardJoin.create(factors, channels, ModelConfig.NORM_EPSILON, Device.threads()));
  }

  @Override
  public Joined apply(Tensor y, Tensor x, Tensor alpha, Tensor beta, Tensor gain) {
    var call = new Call(y.contiguous(), x.contiguous(), alpha, beta, gain);
    var inputs = List.of(y, x, alpha, beta, gain);
    if (CustomGradient.isWanted(y, x, alpha, beta, gain)) CustomGradient.attach(inputs, List.of(call.xOut, call.n), call::backward);
    return new Joined(call.xOut, call.n, () -> new Call(call.y, x.contiguous(), alpha, beta, gain).n);
  }

  /** One forward pass and what its backward needs of it. */
  private final class Call {
    private final ElementType type;
    private final long rows;
    private final Tensor y;
    private final List<Tensor> weights;
    private final Tensor xOut;
    private final Tensor n;

    Call(Tensor y, Tensor x, Tensor alpha, Tensor beta, Tensor gain) {
      this.y = y;
      type = ElementType.of(Dtype.of(x));
      rows = x.numel() / kernel.width();
      try (var scope = Scope.withoutGradients()) {
        var wide = (type == ElementType.F64 ? Dtype.F64 : Dtype.F32).scalarType();
        weights = List.of(scope.escape(alpha.detach().to(wide)), scope.escape(beta.detach().to(wide)),
            scope.escape(gain.detach().to(wide)));
        xOut = scope.escape(torch.empty_like(x));
        n = scope.escape(torch.empty_like(x));
      }
      kernel.forward(type, rows, Memory.of(y), Memory.of(x), segments(weights), Memory.of(xOut), Memory.of(n));
    }

    List<@Nullable Tensor> backward(List<@Nullable Tensor> given) {
      var dxOut = orZeros(given.get(0));
      var dn = orZeros(given.get(1));
      var dy = torch.empty_like(y);
      var dx = torch.empty_like(y);
      var gradients = weights.stream().map(torch::empty_like).toList();
      kernel.backward(type, rows, Memory.of(y), Memory.of(xOut), segments(weights), Memory.of(dxOut), Memory.of(dn), Memory.of(dy),
          Memory.of(dx), segments(gradients));
      var narrow = y.scalar_type();
      return Arrays.asList(dy, dx, gradients.get(0).to(narrow), gradients.get(1).to(narrow), gradients.get(2).to(narrow));
    }

    private Tensor orZeros(@Nullable Tensor gradient) {
      return gradient == null ? torch.zeros_like(xOut) : gradient.contiguous();
    }

    private static HadamardJoin.Weights segments(List<Tensor> vectors) {
      return new HadamardJoin.Weights(Memory.of(vectors.get(0)), Memory.of(vectors.get(1)), Memory.of(vectors.get(2)));
    }
  }
}
