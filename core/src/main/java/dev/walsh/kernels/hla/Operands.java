package dev.walsh.kernels.hla;

import dev.walsh.tensor.Dtype;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * What a weighted sum is made of: Σ_m Π_i (q_i[n]·k_i[m]) · [v[m], 1], unnormalised.
 *
 * @param queries features (G,r_i,N) of each factor, or of one for all where they are tied
 * @param keys the same of keys
 * @param values (…,N,D), the dimensions before N making G, or null to sum the weights alone
 * @param counted whether the weights are summed too, as a last column
 */
record Operands(List<Tensor> queries, List<Tensor> keys, @Nullable Tensor values, boolean counted) {
  /** What sums are kept in: float32 at least. */
  static Dtype sumDtype(Dtype dtype) {
    return dtype == Dtype.F64 ? Dtype.F64 : Dtype.F32;
  }

  Dtype sumDtype() {
    return sumDtype(Dtype.of(keys.getFirst()));
  }

  long groups() {
    return keys.getFirst().size(0);
  }

  long length() {
    return keys.getFirst().size(2);
  }

  /** W. */
  long columns() {
    return (values == null ? 0 : values.size(-1)) + (counted ? 1 : 0);
  }

  /** Whether a state of so many entries has the products of all features, each once: factors are untied, so it has no symmetry. */
  boolean hasAllProducts(long entries) {
    return product(queries) == entries && product(keys) == entries;
  }

  private static long product(List<Tensor> features) {
    return features.stream().mapToLong(x -> x.size(1)).reduce(1, (a, b) -> a * b);
  }

  /** A new tensor of zeros, in the dtype of sums. */
  Tensor zeros(long... shape) {
    return torch.zeros(shape, keys.getFirst().options().dtype(new ScalarTypeOptional(sumDtype().scalarType())));
  }

  /** The features of the tokens from {@code from} on, (G,r_i,C), in the dtype of sums. */
  List<Tensor> queries(long from, long tokens) {
    return part(queries, from, tokens);
  }

  List<Tensor> keys(long from, long tokens) {
    return part(keys, from, tokens);
  }

  private List<Tensor> part(List<Tensor> features, long from, long tokens) {
    return features.stream().map(x -> x.narrow(2, from, tokens).to(sumDtype().scalarType())).toList();
  }

  /** What is summed of the tokens from {@code from} on, (G,C,W), in the dtype of sums. */
  Tensor summed(long from, long tokens) {
    var columns = new TensorVector();
    if (values != null) columns.push_back(values.narrow(-2, from, tokens).reshape(groups(), tokens, -1).to(sumDtype().scalarType()));
    // Numerator and denominator are of the same rounded weights, because one product makes both.
    if (counted) columns.push_back(zeros(groups(), tokens, 1).fill_(new Scalar(1)));
    return torch.cat(columns, 2);
  }

  /** All tensors that have gradients: queries, keys, values. */
  List<Tensor> inputs() {
    var inputs = new ArrayList<>(queries);
    inputs.addAll(keys);
    if (values != null) inputs.add(values);
    return inputs;
  }
}
