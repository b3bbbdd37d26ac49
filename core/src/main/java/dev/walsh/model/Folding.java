package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection.Mix;
import dev.walsh.kernels.wht.HadamardFactors;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The exact change of parameters between the two forms of a Hadamard projection. Attention is linear in its values v, so with
 * H_d = M ⊗ B, B acting inside a head, attention(…, v) H_d = attention(…, v (I ⊗ B)) (M ⊗ I), and v (I ⊗ B) is what a value projection with
 * changed weights gives. It holds while nothing scales single channels between attention and the fold.
 */
public final class Folding {
  private final ModelConfig config;

  /** @param config of a model with a Hadamard projection, in either form */
  public Folding(ModelConfig config) {
    if (!config.projection().mix().isHadamard()) throw new IllegalArgumentException("nothing to fold in " + config.projection());
    this.config = config;
  }

  /** The same model in the form of fewer operations, whose weights {@link #fold} gives. */
  public ModelConfig folded() {
    return config.with(config.projection().with(Mix.HADAMARD_FOLDED));
  }

  /** All weights of a model in full form as those of the folded one. */
  public Map<String, Tensor> fold(Map<String, Tensor> weights) {
    var folded = new LinkedHashMap<>(weights);
    folded.replaceAll((name, weight) -> name.endsWith(Attention.QKV) ? fold(weight) : weight);
    return folded;
  }

  /** qkv: (3C,C) on the CPU -> the same with the weights of the values folded, computed in float64. */
  public Tensor fold(Tensor qkv) {
    return change(qkv, true);
  }

  /** Undoes {@link #fold(Tensor)}. */
  public Tensor unfold(Tensor qkv) {
    return change(qkv, false);
  }

  private Tensor change(Tensor qkv, boolean fold) {
    int width = config.width();
    var factors = HadamardFactors.of(width, config.heads()).fold(config.heads()).folded();
    int order = factors.order();
    try (var scope = Scope.withoutGradients()) {
      // Weights are (out, in): v (I ⊗ B) has the weights (I ⊗ B)ᵀ W.
      var matrix = Memory.tensor(factors.dense(), order, order);
      var values = qkv.narrow(0, 2L * width, width).to(Device.CPU.options(Dtype.F64), false, false, null).view(-1, order, width);
      var changed = scope.escape(qkv.clone());
      changed.narrow(0, 2L * width, width).copy_(torch.matmul(fold ? matrix.t() : matrix, values).view(width, width));
      return changed;
    }
  }
}
