package dev.walsh.kernels.hla;

import dev.walsh.tensor.Memory;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The definition as plain loops over all pairs of tokens, in float64: what the other forms are tested against. */
final class HlaReference {
  private final int factors;
  private final boolean causal;
  private final Normalizer normalizer;

  HlaReference(HlaSpec spec) {
    factors = spec.factors().size();
    causal = spec.causal();
    normalizer = spec.normalizer();
  }

  /** The features of one side as Java has them: [factor][(g·r + a)·n + token]. */
  private record Features(double[][] values, int[] ranks, int n) {
    static Features of(List<Tensor> features) {
      return new Features(features.stream().map(Memory::doubles).toArray(double[][]::new),
          features.stream().mapToInt(f -> (int) f.size(1)).toArray(), (int) features.getFirst().size(2));
    }

    double similarity(Features keys, int factor, int group, int query, int key) {
      int ofQueries = Math.min(factor, values.length - 1);
      int ofKeys = Math.min(factor, keys.values.length - 1);
      int r = ranks[ofQueries];
      double sum = 0;
      for (int a = 0; a < r; a++) {
        sum += values[ofQueries][(group * r + a) * n + query] * keys.values[ofKeys][(group * r + a) * n + key];
      }
      return sum;
    }
  }

  /**
   * The normalised sums.
   *
   * @param numerators the features that weigh the values
   * @param denominators those that the weights are summed of; null where they are the same
   * @return (G,N,D), float64
   */
  Tensor apply(Operands numerators, @Nullable Operands denominators) {
    var values = numerators.values();
    if (values == null) throw new IllegalArgumentException("no values to attend to");
    int groups = (int) values.size(0);
    int n = (int) values.size(1);
    int d = (int) values.size(2);
    var v = Memory.doubles(values);
    var weighing = Pairs.of(numerators);
    var summing = denominators == null ? weighing : Pairs.of(denominators);
    var out = new double[groups * n * d];
    for (int g = 0; g < groups; g++) {
      for (int query = 0; query < n; query++) {
        row(g, query, n, d, v, weighing, summing, out);
      }
    }
    return Memory.tensor(out, groups, n, d);
  }

  private record Pairs(Features queries, Features keys) {
    static Pairs of(Operands x) {
      return new Pairs(Features.of(x.queries()), Features.of(x.keys()));
    }

    double weight(int factors, int group, int query, int key) {
      double product = 1;
      for (int i = 0; i < factors; i++) product *= queries.similarity(keys, i, group, query, key);
      return product;
    }
  }

  private void row(int group, int query, int n, int d, double[] v, Pairs weighing, Pairs summing, double[] out) {
    int row = (group * n + query) * d;
    double total = 0;
    for (int key = 0; key < (causal ? query + 1 : n); key++) {
      double weight = weighing.weight(factors, group, query, key);
      total += weighing == summing ? weight : summing.weight(factors, group, query, key);
      for (int c = 0; c < d; c++) out[row + c] += weight * v[(group * n + key) * d + c];
    }
    double divisor = normalizer == Normalizer.SUM ? total : rootMeanSquare(out, row, d);
    for (int c = 0; c < d; c++) out[row + c] = divisor > 0 ? out[row + c] / divisor : 0;
  }

  private static double rootMeanSquare(double[] out, int row, int d) {
    double squares = 0;
    for (int c = 0; c < d; c++) squares += out[row + c] * out[row + c];
    return Math.sqrt(squares / d);
  }
}
