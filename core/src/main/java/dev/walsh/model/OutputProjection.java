package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Fallback;
import dev.walsh.tensor.Weights;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The way back into the residual stream: a {@link Mix}, then alpha and beta where the config asks for them. Both branches of a block end in
 * one, so that projection, residual addition and the next norm are one operation that a kernel may fuse.
 */
final class OutputProjection {
  private final Mix mix;
  private final int width;
  private final boolean hasAlpha;
  private final boolean hasBeta;
  // Ones and zeros where they are not learned.
  private final Tensor alpha;
  private final Tensor beta;
  private final @Nullable FusedJoin fused;

  private OutputProjection(Mix mix, ModelConfig config, boolean hasAlpha, boolean hasBeta, Weights.Path path, Kernels kernels) {
    this.mix = mix;
    this.hasAlpha = hasAlpha;
    this.hasBeta = hasBeta;
    width = config.width();
    alpha = hasAlpha ? path.constant("alpha", alphaStart(config), width) : path.fixed(ones(width), width);
    beta = hasBeta ? path.constant("beta", 0, width) : path.fixed(new double[width], width);
    fused = kernels == Kernels.PLAIN ? null : fused(path);
  }

  private static double alphaStart(ModelConfig config) {
    var asked = config.projection().alphaStart();
    return asked == null ? Init.alpha(config.width(), config.layers()) : asked;
  }

  /** No kernel of the GPU computes in float64, and nothing computes on a device without memory. */
  private @Nullable FusedJoin fused(Weights.Path path) {
    return switch (path.device()) {
      case CPU -> mix.cpuJoin(width);
      case CUDA -> path.dtype() == Dtype.F64
          ? null
          : Fallback.orNone("Joins", () -> mix.cudaJoin(width, hasAlpha, hasBeta, path.dtype()));
      case META -> null;
    };
  }

  private static double[] ones(int n) {
    var ones = new double[n];
    Arrays.fill(ones, 1);
    return ones;
  }

  /** The attention's: {@code alpha ⊙ (Y H) + beta} or what else the config says. */
  static OutputProjection ofAttention(ModelConfig config, Weights.Path path, Kernels kernels) {
    return new OutputProjection(Mix.create(config, path), config, config.projection().alpha(), config.projection().beta(), path, kernels);
  }

  /** The MLP's: a learned matrix from the hidden width. */
  static OutputProjection ofMlp(ModelConfig config, Weights.Path path, Kernels kernels) {
    return new OutputProjection(new Mix.Dense(config.hidden(), config.width(), config.layers(), path), config, false, false, path, kernels);
  }

  /** x' = x + projection(o) and n = RMSNorm(x') ⊙ gain. o: (B,T,in), x: (B,T,C), gain: (C) -> twice (B,T,C). */
  Joined join(Tensor o, Tensor x, Tensor gain) {
    return fused == null ? plainJoin(o, x, gain) : fused.apply(mix.beforeJoin(o), x, alpha, beta, gain);
  }

  /** The join in libtorch's own operators, which every fused one must agree with. */
  Joined plainJoin(Tensor o, Tensor x, Tensor gain) {
    var y = mix.apply(o);
    if (hasAlpha) y = y.mul(alpha);
    if (hasBeta) y = y.add(beta);
    var residual = x.add(y);
    return new Joined(residual, Norm.apply(residual, gain));
  }

  Cost cost() {
    var cost = mix.cost();
    if (hasAlpha) cost = cost.plus(Cost.elementwise(width, width));
    if (hasBeta) cost = cost.plus(new Cost(width, width, width, 0, 0));
    // A join reads two and writes two rows; backward it reads four and writes two.
    return cost.moving(10.0 * width);
  }
}
