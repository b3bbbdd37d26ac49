package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.kernels.nn.Linear;
import dev.walsh.kernels.nn.SwiGlu;
import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.Tensor;

/** SwiGLU without its down-projection: silu(n W_gate) ⊙ (n W_up) (arXiv 2002.05202). */
final class Mlp {
  private final int width;
  private final int hidden;
  private final Tensor gateAndUp;
  private final Kernels kernels;

  Mlp(ModelConfig config, Weights.Path path, Kernels kernels) {
    this.kernels = kernels;
    width = config.width();
    hidden = config.hidden();
    gateAndUp = path.normal("gate_up.weight", Init.DEVIATION, 2L * hidden, width);
  }

  /** n: (B,T,C) -> (B,T,F). */
  Tensor apply(Tensor n) {
    if (kernels == Kernels.PLAIN) return SwiGlu.plain(Linear.plain(n, gateAndUp));
    return SwiGlu.apply(Linear.apply(n, gateAndUp));
  }

  Cost cost() {
    return Cost.matrix(width, 2L * hidden).plus(new Cost(0, 5.0 * hidden, 10.0 * hidden, 3.0 * hidden, 8.0 * hidden));
  }
}
