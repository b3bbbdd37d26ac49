package dev.walsh.kernels.hla;

import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Feature maps of one kind and size with their learned matrices: those of queries and of keys, of one factor or of tied ones.
 *
 * <p>Features lie token by token in a row, (B,H,r,N), so that a product of two features is one of rows. They are in the dtype of sums: who
 * stores them rounds them.
 */
sealed interface FeatureLayer permits PointwiseFeatures, InnerProductFeatures, FixedFeatures {
  /** @param maps how many there are: one a side, or more where a side's factors are not tied */
  static FeatureLayer create(HlaSpec spec, FeatureMap map, int maps, FeatureInit init, Weights.Path path) {
    return switch (map) {
      case FeatureMap.Softplus _,FeatureMap.Exp _,FeatureMap.Relu _,FeatureMap.Perceptron _ -> new PointwiseFeatures(spec, map, maps, init,
          path);
      case FeatureMap.Taylor _,FeatureMap.Affine _ -> new InnerProductFeatures(spec, map, maps, init, path);
      case FeatureMap.EluPlusOne _,FeatureMap.Cosine _ -> new FixedFeatures(map);
    };
  }

  /**
   * x: (B,H,N,D) -> (B,H,r,N).
   *
   * @param which of the maps
   * @param position of the first token
   */
  Tensor apply(int which, Tensor x, long position);

  /**
   * x: (B,H,N,D) -> the features (B,H,r,N) as they are stored, scaled where {@link FeatureMaps} scales them, in the dtype of x or in
   * float32; null where no kernel makes them.
   */
  default @Nullable Tensor fused(int which, Tensor x, boolean keys) {
    return null;
  }

  /** What a map is to a kernel that makes the features of all factors at once; null where that knows none such. */
  default CudaProjection.@Nullable Map projection(int which) {
    return null;
  }

  /** What all maps are to a kernel of whole tokens; null where that knows none such. */
  default CudaToken.@Nullable Maps maps() {
    return null;
  }

  /** Whether these are the logarithms of the features, still to be scaled. */
  default boolean isLogarithmic() {
    return false;
  }

  /** Whether no feature is negative, so that a row of them can be scaled by its mean. */
  default boolean isPositive() {
    return true;
  }

  /** W·x for each head. weight: (maps,H,p,D), x: (B,H,N,D) -> (B,H,p,N), in the dtype of x. */
  static Tensor project(Tensor weight, int which, Tensor x) {
    return weight.select(0, which).to(x.scalar_type()).matmul(x.transpose(2, 3));
  }

  /** t in the dtype of sums of x. */
  static Tensor widened(Tensor t, Tensor x) {
    return t.to(Operands.sumDtype(Dtype.of(x)).scalarType());
  }
}
