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
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The exact changes of parameters between the forms of a Hadamard projection. Attention is linear in its values v, so with
 * H_d = M ⊗ B, B acting inside a head, attention(…, v) H_d = attention(…, v (I ⊗ B)) (M ⊗ I), and v (I ⊗ B) is what a value projection with
 * changed weights gives. It holds while nothing scales single channels between attention and the fold; what divides a head by its root mean
 * square does not, since B is orthogonal.
 *
 * <p>Signs s in front of the matrix are such a change as well: attention(…, v) diag(s) H_d has the weights diag(s) W_V. The signed form is kept
 * so from the first step on. That is not only the same function but the same training to the last bit, since IEEE arithmetic, AdamW, its decay
 * and the gradient's norm treat w and −w alike. It costs nothing, and it says what the signs can do at all: they draw other initial values.
 */
public final class Folding {
  /** Other signs would only be other initial values; still, a seed of a run should mean one run. */
  private static final long SIGNS = 0x7369676E; // "sign"

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
    folded.replaceAll((name, weight) -> name.endsWith(QkvProjection.NAME) ? fold(weight) : weight);
    return folded;
  }

  /** qkv: (…,C) on the CPU -> the same with the weights of the values folded, computed in float64. */
  public Tensor fold(Tensor qkv) {
    return change(qkv, true);
  }

  /** Undoes {@link #fold(Tensor)}. */
  public Tensor unfold(Tensor qkv) {
    return change(qkv, false);
  }

  /** qkv: (…,C) -> the same with signs before the matrix moved into the values: the i-th bit of a counter's for channel i, in all layers. */
  Tensor sign(Tensor qkv) {
    int width = config.width();
    var random = new CounterRandom(SIGNS);
    var signs = IntStream.range(0, width).mapToDouble(random::sign).toArray();
    try (var scope = Scope.withoutGradients()) {
      var signed = scope.escape(qkv.clone());
      values(signed).mul_(Memory.tensor(signs, width, 1).to(qkv.scalar_type()));
      return signed;
    }
  }

  /** The rows of the values, which are the last of the merged projection. */
  private Tensor values(Tensor qkv) {
    return qkv.narrow(0, qkv.size(0) - config.width(), config.width());
  }

  private Tensor change(Tensor qkv, boolean fold) {
    int width = config.width();
    var factors = HadamardFactors.of(width, config.heads()).fold(config.heads()).folded();
    int order = factors.order();
    try (var scope = Scope.withoutGradients()) {
      // Weights are (out, in): v (I ⊗ B) has the weights (I ⊗ B)ᵀ W.
      var matrix = Memory.tensor(factors.dense(), order, order);
      var values = values(qkv).to(Device.CPU.options(Dtype.F64), false, false, null).view(-1, order, width);
      var changed = scope.escape(qkv.clone());
      values(changed).copy_(torch.matmul(fold ? matrix.t() : matrix, values).view(width, width));
      return changed;
    }
  }
}
