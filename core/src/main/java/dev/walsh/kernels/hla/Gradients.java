package dev.walsh.kernels.hla;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * Where the gradients of operands add up, in the dtype of sums.
 *
 * @param queries (G,r_i,N) each
 * @param keys (G,r_i,N) each
 * @param columns (G,N,W)
 */
record Gradients(List<Tensor> queries, List<Tensor> keys, Tensor columns) {
  static Gradients of(Operands x) {
    return new Gradients(zeros(x, x.queries()), zeros(x, x.keys()), x.zeros(x.groups(), x.length(), x.columns()));
  }

  private static List<Tensor> zeros(Operands x, List<Tensor> features) {
    return features.stream().map(f -> x.zeros(f.shape())).toList();
  }

  List<Tensor> queries(long from, long tokens) {
    return queries.stream().map(g -> g.narrow(2, from, tokens)).toList();
  }

  List<Tensor> keys(long from, long tokens) {
    return keys.stream().map(g -> g.narrow(2, from, tokens)).toList();
  }

  Tensor columns(long from, long tokens) {
    return columns.narrow(1, from, tokens);
  }

  /** The gradients of {@link Operands#inputs}, in their dtype. */
  List<Tensor> inputs(Operands x) {
    var gradients = new ArrayList<>(queries);
    gradients.addAll(keys);
    var values = x.values();
    if (values != null) gradients.add(columns.narrow(2, 0, values.size(-1)).reshape(values.shape()));
    var dtype = x.keys().getFirst().scalar_type();
    gradients.replaceAll(g -> g.to(dtype));
    return gradients;
  }
}
