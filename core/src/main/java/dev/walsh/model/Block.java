package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Recomputation;
import dev.walsh.tensor.Weights;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;

/** One layer: attention and MLP, each reading the normed residual stream and joining it again. */
final class Block {
  private final ModelConfig config;
  private final Attention attention;
  private final OutputProjection attentionOut;
  private final Mlp mlp;
  private final OutputProjection mlpOut;
  private final boolean recomputes;
  private final Tensor attentionGain;
  private final Tensor mlpGain;

  /** @param attentions makes this layer's attention at its path */
  Block(ModelConfig config, Function<Weights.Path, Attention> attentions, Weights.Path path, Kernels kernels) {
    this.config = config;
    recomputes = kernels == Kernels.RECOMPUTING;
    attentionGain = path.constant("attn_norm.gain", 1, config.width());
    attention = attentions.apply(path.at("attn"));
    attentionOut = OutputProjection.ofAttention(config, path.at("attn").at("out"), kernels);
    mlpGain = path.constant("mlp_norm.gain", 1, config.width());
    mlp = new Mlp(config, path.at("mlp"), kernels);
    mlpOut = OutputProjection.ofMlp(config, path.at("mlp").at("down"), kernels);
  }

  /** The gain of the norm that this block reads through. */
  Tensor gain() {
    return attentionGain;
  }

  Attention attention() {
    return attention;
  }

  /** in: twice (B,T,C), nextGain: (C), of the norm after this block -> twice (B,T,C). */
  Joined apply(Joined in, Tensor nextGain) {
    return join(attention.apply(in.normed()), in, nextGain);
  }

  /** The same with another attention in the place of its own. */
  Joined apply(Joined in, Tensor nextGain, Attention instead) {
    return join(instead.apply(in.normed()), in, nextGain);
  }

  /** The same for new tokens of sequences that are remembered, as their layer number {@code layer}. */
  Joined apply(Joined in, Tensor nextGain, DecodeState.Pass pass, int layer) {
    return join(attention.apply(in.normed(), pass, layer), in, nextGain);
  }

  private Joined join(Tensor heads, Joined in, Tensor nextGain) {
    var middle = attentionOut.join(heads, in.residual(), mlpGain);
    var hidden = mlp.apply(middle.normed());
    var out = mlpOut.join(hidden.gated(), middle.residual(), nextGain);
    if (recomputes && CustomGradient.isWanted(out.normed())) {
      Recomputation.between(in.normed(), heads, in.normedAgain());
      Recomputation.between(middle.normed(), hidden.gated(), middle.normedAgain());
      Recomputation.between(hidden.gated(), out.normed(), hidden.gatedAgain());
    }
    return out;
  }

  private Cost normCost() {
    return recomputes ? Norm.cost(config.width()) : Norm.cost(config.width()).keeping(config.width());
  }

  /** What attention costs, its output projection included. */
  Cost attentionCost(int length) {
    return normCost().plus(attention.cost(length)).plus(attentionOut.cost());
  }

  Cost outputProjectionCost() {
    return attentionOut.cost();
  }

  Cost mlpCost() {
    return normCost().plus(mlp.cost()).plus(mlpOut.cost());
  }
}
