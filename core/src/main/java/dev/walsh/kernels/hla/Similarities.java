package dev.walsh.kernels.hla;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/**
 * The weights of a block of queries and a block of keys, explicitly: the product of the factors' similarities, (G,C,M), and its derivatives.
 *
 * @param factors F
 * @param isPower whether queries and keys are tied, so that all similarities are one
 */
record Similarities(int factors, boolean isPower) {
  /** That no pair is masked. */
  static final long ALL = Long.MAX_VALUE;

  /**
   * out += A·columns.
   *
   * @param queries (G,r_i,C) each
   * @param keys (G,r_i,M) each
   * @param columns (G,M,W)
   * @param last the place among the keys of the last one that the first query sees; each further query sees one more
   * @param out (G,C,W)
   */
  void apply(List<Tensor> queries, List<Tensor> keys, Tensor columns, long last, Tensor out) {
    out.baddbmm_(product(similarities(queries, keys), last), columns);
  }

  /** Adds to the three gradients what that of the output, (G,C,W), makes of them. */
  void pull(List<Tensor> queries, List<Tensor> keys, Tensor columns, long last, Tensor gradient, List<Tensor> dQueries, List<Tensor> dKeys,
      Tensor dColumns) {
    var similarities = similarities(queries, keys);
    dColumns.baddbmm_(product(similarities, last).transpose(1, 2), gradient);
    var ofProduct = masked(gradient.bmm(columns.transpose(1, 2)), last);
    for (int i = 0; i < similarities.size(); i++) {
      var ofSimilarity = isPower ? ofPower(ofProduct, similarities.getFirst()) : ofFactor(ofProduct, similarities, i);
      of(dQueries, i).baddbmm_(of(keys, i), ofSimilarity.transpose(1, 2));
      of(dKeys, i).baddbmm_(of(queries, i), ofSimilarity);
    }
  }

  private static Tensor of(List<Tensor> features, int factor) {
    return features.get(Math.min(factor, features.size() - 1));
  }

  private List<Tensor> similarities(List<Tensor> queries, List<Tensor> keys) {
    var similarities = new ArrayList<Tensor>();
    for (int i = 0; i < (isPower ? 1 : factors); i++) similarities.add(of(queries, i).transpose(1, 2).bmm(of(keys, i)));
    return similarities;
  }

  private Tensor product(List<Tensor> similarities, long last) {
    if (isPower) return masked(similarities.getFirst().pow(new Scalar(factors)), last);
    var product = similarities.getFirst().clone();
    for (var similarity : similarities.subList(1, similarities.size())) product.mul_(similarity);
    return masked(product, last);
  }

  private static Tensor masked(Tensor fresh, long last) {
    return last == ALL ? fresh : fresh.tril_(last);
  }

  private Tensor ofPower(Tensor ofProduct, Tensor similarity) {
    return similarity.pow(new Scalar(factors - 1)).mul_(ofProduct).mul_(new Scalar(factors));
  }

  private static Tensor ofFactor(Tensor ofProduct, List<Tensor> similarities, int factor) {
    var gradient = ofProduct.clone();
    for (int j = 0; j < similarities.size(); j++) {
      if (j != factor) gradient.mul_(similarities.get(j));
    }
    return gradient;
  }
}
