package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.kernels.nn.Linear;
import dev.walsh.kernels.nn.SwiGlu;
import dev.walsh.tensor.Weights;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
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

  /**
   * The hidden channels.
   *
   * @param gated (B,T,F)
   * @param gatedAgain computes {@code gated} once more, to the last bit the same, from what is kept for backward
   */
  record Hidden(Tensor gated, Supplier<Tensor> gatedAgain) {}

  /** n: (B,T,C) -> (B,T,F). */
  Hidden apply(Tensor n) {
    if (kernels == Kernels.PLAIN) return hidden(Linear.plain(n, gateAndUp), SwiGlu::plain);
    var gated = SwiGlu.ofFewRows(n, gateAndUp);
    return gated == null ? hidden(Linear.apply(n, gateAndUp), SwiGlu::apply) : new Hidden(gated, () -> gated);
  }

  private static Hidden hidden(Tensor packed, UnaryOperator<Tensor> gate) {
    return new Hidden(gate.apply(packed), () -> gate.apply(packed));
  }

  Cost cost() {
    // Gate and up are kept, and what comes of them.
    double kept = kernels == Kernels.RECOMPUTING ? 2.0 * hidden : 3.0 * hidden;
    return Cost.matrix(width, 2L * hidden).plus(new Cost(0, 5.0 * hidden, 10.0 * hidden, kept, 8.0 * hidden));
  }
}
