package dev.walsh.kernels.hla;

import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Pointwise features of one token of each sequence on the CPU, where no gradient is wanted, in the Vector API and float32: for so little, libtorch's
 * operators take longer to be called than to work.
 */
final class CpuFeatures {
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
  private static final int LANES = FLOATS.length();
  /** From here on softplus is its argument. */
  private static final float STRAIGHT = 20;
  private static final float TINY = 1e-30f;

  private final FeatureMap map;
  private final float least;
  private final boolean keys;
  private final int heads;
  private final int rank;
  private final int width;
  private final float[] weight;
  private final float[] bias;
  private final float[] x;
  private final float @Nullable [] curvature;
  private final float[] out;

  private CpuFeatures(FeatureMap map, double least, Tensor weight, Tensor bias, Tensor x, @Nullable Tensor curvature, boolean keys) {
    this.map = map;
    this.least = (float) least;
    this.keys = keys;
    heads = (int) weight.size(0);
    rank = (int) weight.size(1);
    width = (int) weight.size(2);
    this.weight = Memory.floats(weight);
    this.bias = Memory.floats(bias);
    this.x = Memory.floats(x);
    this.curvature = curvature == null ? null : Memory.floats(curvature);
    out = new float[(int) (x.size(0) * heads * rank)];
  }

  /** Whether x, (B,H,N,D), is one token of each sequence on the CPU, and of no wider type than float32. */
  static boolean covers(Tensor x) {
    return x.is_cpu() && x.size(2) == 1 && Dtype.of(x) != Dtype.F64;
  }

  /**
   * Features (B,H,r,1) in float32, scaled as {@link FeatureMaps} scales them; null where a gradient is wanted.
   *
   * @param map softplus, ReLU, or of queries exp
   * @param least exponent of exp
   * @param weight (H,r,D)
   * @param bias (H,r,1)
   * @param x (B,H,1,D), which is {@linkplain #covers covered}
   * @param curvature (1,D): half of the square of a key's length, so weighed, bends its features; null where nothing does
   */
  static @Nullable Tensor of(FeatureMap map, double least, Tensor weight, Tensor bias, Tensor x, @Nullable Tensor curvature, boolean keys) {
    if (CustomGradient.isWanted(x, weight, bias)) return null;
    var features = new CpuFeatures(map, least, weight, bias, x, curvature, keys);
    for (int row = 0; row < x.size(0) * features.heads; row++) features.row(row);
    return Memory.tensor(features.out, x.size(0), features.heads, features.rank, 1);
  }

  /** One head of one sequence. */
  private void row(int row) {
    int head = row % heads;
    int to = row * rank;
    for (int a = 0; a < rank; a++) {
      out[to + a] = curved(bias[head * rank + a] + dot(weight, (head * rank + a) * width, x, row * width));
    }
    if (map instanceof FeatureMap.Exp) {
      exponents(to);
    } else if (!keys) {
      float sum = 0;
      for (int a = 0; a < rank; a++) sum += out[to + a];
      scale(to, 1 / Math.max(sum / rank, TINY));
    } else if (curvature != null) {
      float square = 0;
      for (int c = 0; c < width; c++) square += curvature[c] * x[row * width + c] * x[row * width + c];
      scale(to, 1 / (1 + square / 2));
    }
  }

  /** Of exp its logarithm. */
  private float curved(float u) {
    return switch (map) {
      case FeatureMap.Softplus _ -> u > STRAIGHT ? u : (float) Math.log1p(Math.exp(u));
      case FeatureMap.Relu(int _, double floor) -> Math.max(u, 0) + (float) floor;
      case FeatureMap.Exp _ -> u;
      default -> throw new IllegalArgumentException(map + " is no function of a projection");
    };
  }

  private void exponents(int to) {
    float greatest = Float.NEGATIVE_INFINITY;
    for (int a = 0; a < rank; a++) greatest = Math.max(greatest, out[to + a]);
    for (int a = 0; a < rank; a++) out[to + a] = (float) Math.exp(Math.max(out[to + a] - greatest, least));
  }

  private void scale(int to, float by) {
    for (int a = 0; a < rank; a++) out[to + a] *= by;
  }

  private float dot(float[] a, int from, float[] b, int at) {
    var sums = FloatVector.zero(FLOATS);
    int c = 0;
    for (; c <= width - LANES; c += LANES)
      sums = FloatVector.fromArray(FLOATS, a, from + c).fma(FloatVector.fromArray(FLOATS, b, at + c), sums);
    float sum = sums.reduceLanes(VectorOperators.ADD);
    for (; c < width; c++) sum += a[from + c] * b[at + c];
    return sum;
  }
}
