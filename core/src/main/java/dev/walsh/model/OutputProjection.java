package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The way back into the residual stream: a {@link Mix}, then alpha and beta where the config asks for them. Both branches of a block end in
 * one, so that projection, residual addition and the next norm are one operation that a kernel may fuse.
 */
final class OutputProjection {
  private final Mix mix;
  private final int width;
  private final @Nullable Tensor alpha;
  private final @Nullable Tensor beta;

  private OutputProjection(Mix mix, int width, @Nullable Tensor alpha, @Nullable Tensor beta) {
    this.mix = mix;
    this.width = width;
    this.alpha = alpha;
    this.beta = beta;
  }

  /** The attention's: {@code alpha ⊙ (Y H) + beta} or what else the config says. */
  static OutputProjection ofAttention(ModelConfig config, Weights.Path path) {
    var mix = Mix.create(config, path);
    int d = config.width();
    var alpha = config.projection().alpha() ? path.constant("alpha", Init.alpha(d, config.layers()), d) : null;
    var beta = config.projection().beta() ? path.constant("beta", 0, d) : null;
    return new OutputProjection(mix, d, alpha, beta);
  }

  /** The MLP's: a learned matrix from the hidden width. */
  static OutputProjection ofMlp(ModelConfig config, Weights.Path path) {
    return new OutputProjection(new Mix.Dense(config.hidden(), config.width(), config.layers(), path), config.width(), null, null);
  }

  /** x' = x + projection(o) and n = RMSNorm(x') ⊙ gain. o: (B,T,in), x: (B,T,C), gain: (C) -> twice (B,T,C). */
  Joined join(Tensor o, Tensor x, Tensor gain) {
    var residual = x.add(apply(o));
    return new Joined(residual, Norm.apply(residual, gain));
  }

  private Tensor apply(Tensor o) {
    var y = mix.apply(o);
    if (alpha != null)
      y = y.mul(alpha);
    if (beta != null)
      y = y.add(beta);
    return y;
  }

  Cost cost() {
    var cost = mix.cost();
    if (alpha != null)
      cost = cost.plus(Cost.elementwise(width, width));
    if (beta != null)
      cost = cost.plus(new Cost(width, width, width, 0));
    return cost;
  }
}
