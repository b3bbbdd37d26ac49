package dev.walsh.model;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.ModelConfig;
import dev.walsh.kernels.nn.CausalAttention;
import dev.walsh.kernels.nn.Rope;
import dev.walsh.tensor.Weights;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;

/** Causal attention over all heads, without its output projection. */
sealed interface Attention permits SoftmaxAttention, HlaAttention {
  /** What makes a layer's attention at its path, all of which share what does not differ between layers. */
  static Function<Weights.Path, Attention> layers(ModelConfig config, Rope rope, Weights weights, Kernels kernels) {
    if (config.attention() instanceof AttentionKind.Softmax) {
      var softmax = new CausalAttention(config.context(), weights.at("softmax"));
      return path -> new SoftmaxAttention(config, rope, softmax, path, kernels);
    }
    var spec = HlaAttention.spec(config);
    return path -> new HlaAttention(config, spec, rope, path, kernels);
  }

  /** n: (B,T,C) -> the concatenated heads (B,T,C). */
  Tensor apply(Tensor n);

  /** n: (…,C), rows of new tokens -> the concatenated heads (…,C), as a pass over what is remembered of their sequences computes them. */
  Tensor apply(Tensor n, DecodeState.Pass pass, int layer);

  /** @param length T, the tokens that attend to one another */
  Cost cost(int length);
}
