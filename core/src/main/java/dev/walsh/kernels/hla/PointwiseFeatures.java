package dev.walsh.kernels.hla;

import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** A function of each feature's own projection Wx + b; of exp, its logarithm. */
final class PointwiseFeatures implements FeatureLayer {
  // softplus(u − 2) is exp(u − 2) to a few percent and relu(1 + u) is exp(u) to first order; scales cancel.
  private static final double SOFTPLUS_BIAS = -2;
  private static final double RELU_BIAS = 1;

  private final FeatureMap map;
  // (maps,H,r,D), of a perceptron (maps,H,2r,D)
  private final Tensor weight;
  // (maps,H,r,2r), of a perceptron alone
  private final @Nullable Tensor second;
  // (maps,H,r,1)
  private final Tensor bias;
  // (1,D): γ² on the map's channels and 0 on others, of exp alone.
  private final @Nullable Tensor squaredScales;

  PointwiseFeatures(HlaSpec spec, FeatureMap map, int maps, FeatureInit init, Weights.Path path) {
    this.map = map;
    long heads = spec.heads();
    long rank = map.features(spec.headWidth());
    long d = spec.headWidth();
    if (map instanceof FeatureMap.Perceptron) {
      weight = path.normal("weight", init.scale(), t -> FeatureInit.doubled(init.paired(t.narrow(2, 0, rank))), maps, heads, 2 * rank, d);
      second = path.normal("second.weight", 1, FeatureInit::difference, maps, heads, rank, 2 * rank);
    } else {
      weight = path.normal("weight", init.scale(), init::paired, maps, heads, rank, d);
      second = null;
    }
    bias = path.constant("bias", initialBias(map), maps, heads, rank, 1);
    squaredScales = map instanceof FeatureMap.Exp ? path.fixed(Operands.sumDtype(path.dtype()), init.squaredScales(), 1, d) : null;
  }

  private static double initialBias(FeatureMap map) {
    return switch (map) {
      case FeatureMap.Softplus _,FeatureMap.Perceptron _ -> SOFTPLUS_BIAS;
      case FeatureMap.Relu _ -> RELU_BIAS;
      default -> 0;
    };
  }

  @Override
  public Tensor apply(int which, Tensor x, long position) {
    var z = FeatureLayer.project(weight, which, x);
    if (second != null) z = second.select(0, which).to(x.scalar_type()).matmul(torch.silu(z));
    var u = FeatureLayer.widened(z, x).add(FeatureLayer.widened(bias.select(0, which), x));
    if (map instanceof FeatureMap.Relu(int _, double floor)) return torch.relu(u).add(new Scalar(floor));
    if (squaredScales == null) return torch.softplus(u);
    // A query's length cancels; that of a key does not.
    var wide = FeatureLayer.widened(x, x);
    var halfSquare = FeatureLayer.widened(squaredScales, x).matmul(wide.mul(wide).transpose(2, 3)).mul(new Scalar(0.5));
    return u.sub(halfSquare);
  }

  @Override
  public boolean isLogarithmic() {
    return map instanceof FeatureMap.Exp;
  }
}
