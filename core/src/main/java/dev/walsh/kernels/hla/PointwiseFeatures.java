package dev.walsh.kernels.hla;

import dev.walsh.tensor.Weights;
import java.util.Arrays;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * A positive function f of each feature's own projection u = Wx, of exp its logarithm.
 *
 * <p>Orthogonal rows and their negatives make the mean of f(w·q)·f(w·k), to second order, f(0)² + f'(0)²·γ²q·k + f(0)f''(0)·γ²(|q|² + |k|²)/2.
 * So rows are longer by f(0)/f'(0), and features are divided by 1 + κ·γ²|x|²/2 with κ = f(0)f''(0)/f'(0)², for that to be the series of exp.
 * Of exp itself κ is 1 and the divisor exp(γ²|x|²/2); of ReLU κ is 0.
 */
final class PointwiseFeatures implements FeatureLayer {
  // softplus(u − 2) grows as exp does where it begins, and as u where that is large.
  private static final double SOFTPLUS_BIAS = -2;
  private static final double RELU_BIAS = 1;

  private final FeatureMap map;
  // Exponent of exp.
  private final double least;
  // (maps,H,r,D), of a perceptron (maps,H,2r,D)
  private final Tensor weight;
  // (maps,H,r,2r), of a perceptron alone
  private final @Nullable Tensor second;
  // (maps,H,r,1)
  private final Tensor bias;
  // (1,D): κ·γ² on the channels that the map spans and 0 on others; null where κ is 0.
  private final @Nullable Tensor curvature;

  PointwiseFeatures(HlaSpec spec, FeatureMap map, int maps, FeatureInit init, Weights.Path path) {
    this.map = map;
    least = FeatureMaps.leastLogarithm(spec.factors().size());
    long heads = spec.heads();
    long rank = map.features(spec.headWidth());
    long d = spec.headWidth();
    double stretch = stretch(map);
    if (map instanceof FeatureMap.Perceptron) {
      weight = path.normal("weight", 1, t -> FeatureInit.doubled(init.paired(t.narrow(2, 0, rank), stretch)), maps, heads,
          2 * rank, d);
      second = path.normal("second.weight", 1, FeatureInit::difference, maps, heads, rank, 2 * rank);
    } else {
      weight = path.normal("weight", 1, t -> init.paired(t, stretch), maps, heads, rank, d);
      second = null;
    }
    bias = path.constant("bias", initialBias(map), maps, heads, rank, 1);
    double kappa = kappa(map);
    var squares = Arrays.stream(init.meanSquares(rank)).map(square -> kappa * square).toArray();
    curvature = kappa == 0 ? null : path.fixed(Operands.sumDtype(path.dtype()), squares, 1, d);
  }

  private static double initialBias(FeatureMap map) {
    return switch (map) {
      case FeatureMap.Softplus _,FeatureMap.Perceptron _ -> SOFTPLUS_BIAS;
      case FeatureMap.Relu _ -> RELU_BIAS;
      default -> 0;
    };
  }

  /** f(0)/f'(0). */
  private static double stretch(FeatureMap map) {
    return switch (map) {
      case FeatureMap.Softplus _,FeatureMap.Perceptron _ -> softplus() / sigmoid();
      default -> 1;
    };
  }

  private static double kappa(FeatureMap map) {
    return switch (map) {
      case FeatureMap.Softplus _,FeatureMap.Perceptron _ -> softplus() * (1 - sigmoid()) / sigmoid();
      case FeatureMap.Relu _ -> 0;
      default -> 1;
    };
  }

  private static double softplus() {
    return Math.log1p(Math.exp(SOFTPLUS_BIAS));
  }

  private static double sigmoid() {
    return 1 / (1 + Math.exp(-SOFTPLUS_BIAS));
  }

  @Override
  public @Nullable Tensor fused(int which, Tensor x, boolean keys) {
    if (isLogarithmic() && keys) return null;
    if (CpuFeatures.covers(x) && second == null) {
      return CpuFeatures.of(map, least, weight.select(0, which), bias.select(0, which), x, curvature, keys);
    }
    if (!CudaFeatures.covers(x)) return null;
    return CudaFeatures.of(map, least, projected(which, x), bias.select(0, which), x, curvature, keys);
  }

  @Override
  public CudaProjection.@Nullable Map projection(int which) {
    if (curvature == null || isLogarithmic() || second != null) return null;
    return new CudaProjection.Map(weight.select(0, which), bias.select(0, which), curvature);
  }

  @Override
  public CudaToken.@Nullable Maps maps() {
    return curvature == null || second != null ? null : new CudaToken.Maps(weight, bias, curvature);
  }

  private Tensor projected(int which, Tensor x) {
    var z = FeatureLayer.project(weight, which, x);
    return second == null ? z : second.select(0, which).to(x.scalar_type()).matmul(torch.silu(z));
  }

  @Override
  public Tensor apply(int which, Tensor x, long position) {
    var z = projected(which, x);
    var u = FeatureLayer.widened(z, x).add(FeatureLayer.widened(bias.select(0, which), x));
    if (curvature == null) return map instanceof FeatureMap.Relu(int _, double floor) ? torch.relu(u).add(new Scalar(floor)) : u;
    var wide = FeatureLayer.widened(x, x);
    var halfSquare = FeatureLayer.widened(curvature, x).matmul(wide.mul(wide).transpose(2, 3)).mul(new Scalar(0.5));
    return isLogarithmic() ? u.sub(halfSquare) : torch.softplus(u).div(halfSquare.add(new Scalar(1)));
  }

  @Override
  public boolean isLogarithmic() {
    return map instanceof FeatureMap.Exp;
  }
}
