package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.kernels.nn.Linear;
import dev.walsh.kernels.wht.HadamardFactors;
import dev.walsh.kernels.wht.HadamardMatrix;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** The map of an output projection: from the concatenated heads, or the MLP's hidden channels, to the width of the model. */
sealed interface Mix permits Mix.Dense, Mix.Hadamard, Mix.Identity, BlockDiagonal, LowRank, PaddedHadamard, RandomOrthogonal {
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
    int width = config.width();
    return switch (config.projection().mix()) {
      case DENSE -> new Dense(width, width, config.layers(), path);
      // The signs of the second are in the value projection.
      case HADAMARD, SIGNED_HADAMARD -> Hadamard.full(HadamardFactors.of(width, config.heads()), path);
      case HADAMARD_FOLDED -> Hadamard.folded(HadamardFactors.of(width, config.heads()).fold(config.heads()), path);
      case IDENTITY -> new Identity();
      case RANDOM_ORTHOGONAL -> new RandomOrthogonal(width, path);
      case PADDED_HADAMARD -> PaddedHadamard.isWhole(width)
          ? Hadamard.full(HadamardFactors.of(PaddedHadamard.order(width)), path)
          : new PaddedHadamard(width, path);
      case BLOCK_DIAGONAL -> new BlockDiagonal(config.projection().sizeAt(width), width, config.layers(), path);
      case LOW_RANK -> new LowRank(width, config.projection().sizeAt(width), config.layers(), path);
    };
  }

  /** y (left ⊗ right), or y (left ⊗ I) where right is null, in libtorch's operators. y: (…,d) -> (…,d). */
  static Tensor kronecker(Tensor y, Tensor left, @Nullable Tensor right) {
    // With a row of y read as a matrix Y, that is leftᵀ Y right.
    var rows = y.reshape(-1, left.size(0), y.size(-1) / left.size(0));
    var mixed = right == null ? rows : torch.matmul(rows, right);
    return torch.matmul(left.t(), mixed).view(y.shape());
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
      return Linear.plain(y, weight);
    }

    /** On the GPU the product belongs to the join. */
    @Override
    public Tensor beforeJoin(Tensor y) {
      return weight.is_cuda() ? y : Linear.apply(y, weight);
    }

    @Override
    public FusedJoin cudaJoin(int width, boolean alpha, boolean beta, Dtype dtype) {
      return new CudaProductJoin(weight, CudaJoin.identity(width, alpha, beta, dtype), !alpha && !beta);
    }

    @Override
    public Cost cost() {
      return Cost.matrix(in, out);
    }
  }

  /** A fixed orthonormal matrix y ↦ y (H ⊗ I), H as a Kronecker product of two small ones. */
  final class Hadamard implements Mix {
    private final HadamardFactors factors;
    private final int channels;
    private final Tensor left;
    // Null where it is the identity.
    private final @Nullable Tensor right;

    private Hadamard(HadamardFactors factors, int channels, Tensor left, @Nullable Tensor right) {
      this.factors = factors;
      this.channels = channels;
      this.left = left;
      this.right = right;
    }

    /** All of H_d. */
    static Hadamard full(HadamardFactors factors, Weights.Path path) {
      var split = factors.split();
      return new Hadamard(factors, 1, fixed(split.left(), path), fixed(split.right(), path));
    }

    /** What is left of H_d where {@link Folding} moved the rest into the value projection. */
    static Hadamard folded(HadamardFactors.Fold fold, Weights.Path path) {
      return new Hadamard(fold.mixed(), fold.folded().order(), fixed(HadamardMatrix.of(fold.mixed()), path), null);
    }

    @Override
    public Tensor apply(Tensor y) {
      return kronecker(y, left, right);
    }

    @Override
    public Tensor beforeJoin(Tensor y) {
      return y;
    }

    @Override
    public FusedJoin cpuJoin(int width) {
      return CpuJoin.hadamard(factors, channels);
    }

    @Override
    public FusedJoin cudaJoin(int width, boolean alpha, boolean beta, Dtype dtype) {
      return CudaJoin.hadamard(factors, channels, alpha, beta, dtype);
    }

    @Override
    public Cost cost() {
      double additions = factors.factors().stream().mapToDouble(f -> f.log2() + f.core() - 1).sum() * factors.order() * channels;
      return new Cost(0, additions, additions, 0, 0);
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
