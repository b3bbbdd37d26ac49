package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.tensor.Weights;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Rotary position embedding, half-split as in Llama (arXiv 2104.09864): channel i is rotated together with channel i + D/2, by the angle
 * position · 10000^(−2i/D).
 */
final class Rope {
  // (T,1,D/2), to be broadcast over heads.
  private final Tensor cosine;
  private final Tensor sine;

  Rope(ModelConfig config, Weights.Path path) {
    int half = config.headWidth() / 2;
    var cos = new double[config.context() * half];
    var sin = new double[config.context() * half];
    for (int t = 0; t < config.context(); t++) {
      for (int i = 0; i < half; i++) {
        double angle = t * Math.pow(ModelConfig.ROPE_BASE, -(double) i / half);
        cos[t * half + i] = Math.cos(angle);
        sin[t * half + i] = Math.sin(angle);
      }
    }
    cosine = path.fixed(cos, config.context(), 1, half);
    sine = path.fixed(sin, config.context(), 1, half);
  }

  /** x: (B,T,H,D) -> (B,T,H,D). */
  Tensor apply(Tensor x) {
    long t = x.size(1);
    var halves = x.chunk(2, -1);
    var a = halves.get(0);
    var b = halves.get(1);
    var cos = cosine.narrow(0, 0, t);
    var sin = sine.narrow(0, 0, t);
    return torch.cat(new TensorVector(a.mul(cos).sub(b.mul(sin)), a.mul(sin).add(b.mul(cos))), -1);
  }
}
