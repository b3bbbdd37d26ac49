package dev.walsh.model;

import dev.walsh.kernels.wht.Wht;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Scope;
import java.util.Collections;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A join after a transform of padded rows, which is our kernel and a node of its own: the corner of a symmetric matrix is symmetric, so
 * backward is forward. What it is applied to is the transform's input.
 */
final class PaddedJoin implements FusedJoin {
  private final Wht transform;
  private final int width;
  private final FusedJoin join;

  /**
   * @param transform of Sylvester's matrix, whose order is not less than the width
   * @param join without a transform
   */
  PaddedJoin(Wht transform, int width, FusedJoin join) {
    this.transform = transform;
    this.width = width;
    this.join = join;
  }

  /** o, x: (B,T,C), alpha, beta, gain: (C) -> twice (B,T,C). */
  @Override
  public Joined apply(Tensor o, Tensor x, Tensor alpha, Tensor beta, Tensor gain) {
    Tensor y;
    try (var scope = Scope.withoutGradients()) {
      y = scope.escape(transformed(o));
    }
    if (CustomGradient.isWanted(o)) {
      CustomGradient.attach(List.of(o), List.of(y), given -> {
        var dy = given.getFirst();
        return Collections.singletonList(dy == null ? null : transformed(dy));
      });
    }
    return join.apply(y, x, alpha, beta, gain);
  }

  /** (B,T,C) -> (B,T,C), fresh. */
  private Tensor transformed(Tensor rows) {
    var padded = torch.constant_pad_nd(rows, 0, transform.width() - width).contiguous();
    transform.transform(padded, padded, Wht.Direction.FORWARD);
    return padded.narrow(-1, 0, width).contiguous();
  }
}
