package dev.walsh.kernels.hla;

import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** What all products of a run have in common: the product of the features of the factors after the first, and its gradient. */
final class Products {
  private Products() {}

  /** x: (G,r_i,C) each -> (G,1,C); null for a single factor. */
  static Tensor trailing(List<Tensor> x, int[] order, Monomials.Run run) {
    var product = feature(x, order, run, 1);
    for (int i = 2; i < order.length; i++) product = product.mul(feature(x, order, run, i));
    return product;
  }

  private static Tensor feature(List<Tensor> x, int[] order, Monomials.Run run, int factor) {
    return x.get(order[factor]).narrow(1, run.trailing()[factor - 1], 1);
  }

  /** Adds to {@code dx} what the gradient of {@link #trailing}, (G,1,C), makes of it. */
  static void pullTrailing(List<Tensor> x, int[] order, Monomials.Run run, Tensor gradient, List<Tensor> dx) {
    for (int i = 1; i < order.length; i++) {
      var ofFeature = feature(dx, order, run, i);
      if (order.length == 2) {
        ofFeature.add_(gradient);
      } else {
        ofFeature.addcmul_(gradient, feature(x, order, run, 3 - i));
      }
    }
  }
}
