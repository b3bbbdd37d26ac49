package dev.walsh.kernels.hla;

import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * The products Φ of one side's features, (G,R,C) for C tokens, multiplied by other matrices and never stored for more than a tile. All that
 * the state needs, forward and backward, is these three products. Every tensor is in the dtype of sums.
 */
sealed interface Expansion permits FeatureExpansion, ValueModulation {
  /** sums += Φ(x)·columns. x: (G,r_i,C) each, columns: (G,C,W), sums: (G,R,W). */
  void accumulate(List<Tensor> x, Tensor columns, Tensor sums);

  /** out += Φ(x)ᵀ·sums. x: (G,r_i,C) each, sums: (G,R,W), out: (G,C,W). */
  void read(List<Tensor> x, Tensor sums, Tensor out);

  /**
   * Adds to {@code dx} the gradient of x where that of Φ(x) is sums·columnsᵀ: of {@link #accumulate} with the gradient of its sums, of
   * {@link #read} with the gradient of its output as columns. x, dx: (G,r_i,C) each, sums: (G,R,W), columns: (G,C,W).
   */
  void pull(List<Tensor> x, Tensor sums, Tensor columns, List<Tensor> dx);
}
