package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.kernels.wht.HadamardFactors;
import dev.walsh.kernels.wht.HadamardMatrix;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The map of an output projection: from the concatenated heads, or the MLP's hidden channels, to the width of the model. */
sealed interface Mix {
  /** y: (B,T,in) -> (B,T,C). */
  Tensor apply(Tensor y);

  Cost cost();

  /** What is left of the map for a kernel that fuses the rest of it with the join. y: (B,T,in) -> (B,T,C). */
  default Tensor beforeJoin(Tensor y) {
    return apply(y);
  }

  /** The fused join that follows {@link #beforeJoin} on the CPU. */
  default FusedJoin cpuJoin(int width) {
    return CpuJoin.identity(width);
  }

  /** The fused join that follows {@link #beforeJoin} on the GPU. */
  default FusedJoin cudaJoin(int width, boolean alpha, boolean beta, Dtype dtype) {
    return CudaJoin.identity(width, alpha, beta, dtype);
  }

  /** The map that a config asks for; its weights, if it has any, are made at {@code path}. */
  static Mix create(ModelConfig config, Weights.Path path) {
    return switch (config.projection().mix()) {
      case DENSE -> new Dense(config.width(), config.width(), config.layers(), path);
      case HADAMARD -> new Hadamard(config.width(), config.heads(), path);
      case IDENTITY -> new Identity();
    };
  }

  /** A learned matrix, initialised as GPT-2 does in front of the residual stream: deviation 0.02 / √(2L). */
  final class Dense implements Mix {
    private final int in;
    private final int out;
    private final Tensor weight;

    Dense(int in, int out, int layers, Weights.Path path) {
      this.in = in;
      this.out = out;
      this.weight = path.normal("weight", Init.residual(layers), out, in);
    }

    @Override
    public Tensor apply(Tensor y) {
      return torch.linear(y, weight);
    }

    @Override
    public Cost cost() {
      return Cost.matrix(in, out);
    }
  }

  /** The fixed orthonormal matrix y ↦ y H of {@link HadamardFactors}, as a Kronecker product of two small ones. */
  final class Hadamard implements Mix {
    private final HadamardFactors factors;
    private final Tensor left;
    private final Tensor right;

    Hadamard(int width, int heads, Weights.Path path) {
      factors = HadamardFactors.of(width, heads);
      var split = factors.split();
      left = fixed(split.left(), path);
      right = fixed(split.right(), path);
    }

    @Override
    public Tensor apply(Tensor y) {
      // With H = A ⊗ B and a row of y read as an (a, b) matrix Y, y H is Aᵀ Y B.
      long a = left.size(0);
      long b = right.size(0);
      var rows = y.reshape(-1, a, b);
      return torch.matmul(left.t(), torch.matmul(rows, right)).view(y.shape());
    }

    @Override
    public Tensor beforeJoin(Tensor y) {
      return y;
    }

    @Override
    public FusedJoin cpuJoin(int width) {
      return CpuJoin.hadamard(factors);
    }

    @Override
    public FusedJoin cudaJoin(int width, boolean alpha, boolean beta, Dtype dtype) {
      return CudaJoin.hadamard(factors, alpha, beta, dtype);
    }

    @Override
    public Cost cost() {
      double additions = factors.factors().stream().mapToDouble(f -> f.log2() + f.core() - 1).sum() * factors.order();
      return new Cost(0, additions, additions, 0);
    }

    private static Tensor fixed(HadamardMatrix matrix, Weights.Path path) {
      return path.fixed(matrix.dense(), matrix.order(), matrix.order());
    }
  }

  /** Nothing at all. */
  final class Identity implements Mix {
    @Override
    public Tensor apply(Tensor y) {
      return y;
    }

    @Override
    public Cost cost() {
      return Cost.NOTHING;
    }
  }
}
