package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/** RMSNorm: each row divided by its root mean square, times a learned gain a channel (arXiv 1910.07467). */
final class Norm {
  private Norm() {}

  /** x: (…,C), gain: (C) -> (…,C). */
  static Tensor apply(Tensor x, Tensor gain) {
    return torch.rms_norm(x, gain.shape(), new TensorOptional(gain), new DoubleOptional(ModelConfig.NORM_EPSILON));
  }

  /** A residual stream (B,T,C) and its norm. */
  static Joined join(Tensor residual, Tensor gain) {
    return new Joined(residual, apply(residual, gain), () -> apply(residual, gain));
  }

  /** Without what a reader of the result keeps of it. */
  static Cost cost(int width) {
    return Cost.elementwise(width, width);
  }
}
