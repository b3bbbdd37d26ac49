package dev.walsh.checkpoint;

import dev.walsh.config.ModelConfig;
import dev.walsh.tensor.Dtype;
import java.util.List;
import tools.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import tools.jackson.databind.annotation.JsonNaming;

/** {@code config.json} of a model in Hugging Face's Llama layout; the fields are those of its {@code LlamaConfig}. */
@JsonNaming(SnakeCaseStrategy.class)
record LlamaConfig(List<String> architectures, String modelType, String torchDtype, int vocabSize, int hiddenSize, int intermediateSize,
    int numHiddenLayers, int numAttentionHeads, int numKeyValueHeads, int headDim, int maxPositionEmbeddings, String hiddenAct,
    double rmsNormEps, double ropeTheta, boolean attentionBias, double attentionDropout, boolean mlpBias, boolean tieWordEmbeddings,
    int bosTokenId, int eosTokenId) {
  static LlamaConfig of(ModelConfig model, Dtype dtype, int endOfText) {
    return new LlamaConfig(List.of("LlamaForCausalLM"), "llama", dtype == Dtype.BF16 ? "bfloat16" : "float32", model.paddedVocabulary(),
        model.width(), model.hidden(), model.layers(), model.heads(), model.heads(), model.headWidth(), model.context(), "silu",
        ModelConfig.NORM_EPSILON, ModelConfig.ROPE_BASE, model.projection().beta(), 0, false, true, endOfText, endOfText);
  }

  /** {@code generation_config.json}: the ids that stand for no token, which must not be sampled. */
  @JsonNaming(SnakeCaseStrategy.class)
  record Generation(int bosTokenId, int eosTokenId, List<Integer> suppressTokens) {}
}
