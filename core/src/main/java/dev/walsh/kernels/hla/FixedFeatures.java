package dev.walsh.kernels.hla;

import dev.walsh.config.UserError;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** The controls' features: of all channels of the head, without anything learned. */
record FixedFeatures(FeatureMap map) implements FeatureLayer {
  // cosFormer bounds its denominator from below by as much.
  private static final double FLOOR = 1e-6;

  @Override
  public Tensor apply(int which, Tensor x, long position) {
    var rows = FeatureLayer.widened(x, x).transpose(2, 3);
    if (!(map instanceof FeatureMap.Cosine(int context))) return torch.elu(rows).add(new Scalar(1));
    long n = x.size(2);
    if (position + n > context) {
      throw new UserError("position " + (position + n - 1) + " lies beyond cosFormer's context of " + context
          + " tokens; give the map a longer context");
    }
    var angles = Positions.of(position, n, x).mul(new Scalar(Math.PI / 2 / context));
    var positive = torch.relu(rows).add(new Scalar(FLOOR));
    var cos = FeatureLayer.widened(angles.cos(), x);
    var sin = FeatureLayer.widened(angles.sin(), x);
    return torch.cat(new TensorVector(positive.mul(cos), positive.mul(sin)), 2);
  }
}
