package dev.walsh.model;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.ModelConfig;
import dev.walsh.kernels.nn.CausalAttention;
import dev.walsh.kernels.nn.Rope;
import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.Tensor;

/** Causal attention over all heads, without its output projection. */
sealed interface Attention permits SoftmaxAttention, HlaAttention {
  /** What makes the attention of layers, which share what does not differ between them. */
  @FunctionalInterface
  interface Layers {
    /** The attention of a layer, with its weights at a path. */
    Attention at(int layer, Weights.Path path);
  }

  static Layers layers(ModelConfig config, Rope rope, Weights weights, Kernels kernels) {
    var softmax = config.softmaxLayers() == 0 ? null : new CausalAttention(config.context(), weights.at("softmax"));
    return (layer, path) -> softmax != null && config.attention(layer) instanceof AttentionKind.Softmax
        ? new SoftmaxAttention(config, rope, softmax, path, kernels)
        : new HlaAttention(config, config.attention(layer), rope, path, kernels);
  }

  /** n: (B,T,C) -> the concatenated heads (B,T,C). */
  Tensor apply(Tensor n);

  /** n: (…,C), rows of new tokens -> the concatenated heads (…,C), as a pass over what is remembered of their sequences computes them. */
  Tensor apply(Tensor n, DecodeState.Pass pass, int layer);

  /** @param length T, the tokens that attend to one another */
  Cost cost(int length);
}
