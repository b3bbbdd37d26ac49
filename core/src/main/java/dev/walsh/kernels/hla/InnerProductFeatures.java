package dev.walsh.kernels.hla;

import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Features whose inner product is a polynomial of s = (Wq)·(Wk): [1, z] for 1 + s, and with z_a²/√2 and z_a·z_b for a &gt; b besides, 1 + s +
 * s²/2.
 */
final class InnerProductFeatures implements FeatureLayer {
  // (maps,H,p,D)
  private final Tensor weight;
  private final @Nullable Squares squares;

  /**
   * Which channels the products of second order are of.
   *
   * @param first (p(p+1)/2)
   * @param second (p(p+1)/2)
   * @param weights (p(p+1)/2,1)
   */
  private record Squares(Tensor first, Tensor second, Tensor weights) {
    static Squares of(int channels, Weights.Path path) {
      var pairs = new Monomials(new int[] {channels, channels}, true);
      var weights = pairs.repetitions();
      for (int i = 0; i < weights.length; i++) weights[i] = 1 / Math.sqrt(weights[i]);
      return new Squares(path.fixed(Dtype.I64, pairs.features(0), pairs.size()), path.fixed(Dtype.I64, pairs.features(1), pairs.size()),
          path.fixed(Operands.sumDtype(path.dtype()), weights, pairs.size(), 1));
    }
  }

  InnerProductFeatures(HlaSpec spec, FeatureMap map, int maps, FeatureInit init, Weights.Path path) {
    int channels = map.channels(spec.headWidth());
    weight = path.normal("weight", 1, init::orthonormal, maps, spec.heads(), channels, spec.headWidth());
    squares = map instanceof FeatureMap.Taylor ? Squares.of(channels, path) : null;
  }

  @Override
  public Tensor apply(int which, Tensor x, long position) {
    var z = FeatureLayer.widened(FeatureLayer.project(weight, which, x), x);
    var features = new TensorVector(torch.ones_like(z.narrow(2, 0, 1)), z);
    if (squares != null) {
      var products = z.index_select(2, squares.first).mul(z.index_select(2, squares.second));
      features.push_back(products.mul(FeatureLayer.widened(squares.weights, x)));
    }
    return torch.cat(features, 2);
  }

  @Override
  public boolean isPositive() {
    return false;
  }
}
