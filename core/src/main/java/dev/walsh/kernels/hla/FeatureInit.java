package dev.walsh.kernels.hla;

import dev.walsh.tensor.Memory;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Initial matrices of feature maps, such that each factor's similarity approximates exp(q·k/√D) on its share of the channels. The shares
 * multiply to the whole: untied factors take channels of their own, tied ones, which are all alike, the F-th root of exp on all.
 *
 * <p>With γ = D^(−1/4) (times F^(−1/2) where tied): rows of deviation γ make w·x normal with variance γ²|x|², and E[exp(w·q)·exp(w·k)] =
 * exp(γ²|q + k|²/2) = exp(γ²q·k) · exp(γ²|q|²/2) · exp(γ²|k|²/2), the random features of FAVOR+. They come in pairs w, −w, whose errors of odd
 * order cancel. Maps of inner products take γ times orthonormal rows instead.
 */
final class FeatureInit {
  // How far copies of one map lie apart, so that they do not stay one: a share of the rows' deviation.
  private static final double SPREAD = 0.1;

  private final int headWidth;
  private final boolean[] share;
  private final double scale;

  private FeatureInit(int headWidth, boolean[] share, double scale) {
    this.headWidth = headWidth;
    this.share = share;
    this.scale = scale;
  }

  /** Of one of several untied factors: its share are pairs of channels that RoPE rotates together, c and c + D/2. */
  static FeatureInit untied(HlaSpec spec, int factor) {
    int d = spec.headWidth();
    int half = (d + 1) / 2;
    var share = new boolean[d];
    for (int c = 0; c < d; c++) share[c] = c % half * spec.factors().size() / half == factor;
    return new FeatureInit(d, share, Math.pow(d, -0.25));
  }

  /** Of factors that share features on one side or both. */
  static FeatureInit tied(HlaSpec spec) {
    var share = new boolean[spec.headWidth()];
    Arrays.fill(share, true);
    return new FeatureInit(spec.headWidth(), share, Math.pow(spec.headWidth(), -0.25) / Math.sqrt(spec.factors().size()));
  }

  /** γ. */
  double scale() {
    return scale;
  }

  /** γ² on the channels of the share, 0 on others. */
  double[] squaredScales() {
    var squares = new double[headWidth];
    for (int c = 0; c < headWidth; c++) squares[c] = share[c] ? scale * scale : 0;
    return squares;
  }

  /**
   * The matrices of random features, in pairs of rows that differ in sign.
   *
   * @param drawn (maps,H,r,D), normal, of deviation γ -> the same shape
   */
  Tensor paired(Tensor drawn) {
    var rows = drawn.select(0, 0).mul(mask(drawn));
    long pairs = rows.size(1) / 2;
    rows.narrow(1, rows.size(1) - pairs, pairs).copy_(rows.narrow(1, 0, pairs).neg());
    return forAll(rows, drawn);
  }

  /**
   * The matrices γ·U with orthonormal columns U on the share, so that inner products are kept, or where rows are fewer, kept in the mean.
   *
   * @param drawn (maps,H,p,D), normal, of deviation γ/√p, which is also that of the result -> the same shape
   */
  Tensor orthonormal(Tensor drawn) {
    var channels = IntStream.range(0, headWidth).filter(c -> share[c]).asLongStream().toArray();
    var index = Memory.tensor(channels, channels.length);
    var dense = drawn.select(0, 0).index_select(2, index);
    boolean isWide = dense.size(1) < channels.length;
    var basis = isWide ? torch.linalg_qr(dense.transpose(1, 2)).get0().transpose(1, 2) : torch.linalg_qr(dense).get0();
    double stretch = isWide ? Math.sqrt((double) channels.length / dense.size(1)) : 1;
    var rows = torch.zeros_like(drawn.select(0, 0)).index_copy_(2, index, basis.mul(new Scalar(scale * stretch)));
    return forAll(rows, drawn);
  }

  /** One matrix a head for all maps, apart by little where there are more than one a side. */
  private Tensor forAll(Tensor matrix, Tensor drawn) {
    var all = matrix.unsqueeze(0).expand(drawn.shape()).clone();
    long others = drawn.size(0) - 1;
    if (others > 1) all.narrow(0, 1, others).add_(drawn.narrow(0, 1, others).mul(mask(drawn)).mul_(new Scalar(SPREAD)));
    return all;
  }

  private Tensor mask(Tensor like) {
    var ones = new double[headWidth];
    for (int c = 0; c < headWidth; c++) ones[c] = share[c] ? 1 : 0;
    return Memory.tensor(ones, headWidth).to(like.scalar_type());
  }

  /** The matrices of a perceptron's first layer that its second undoes: [W; −W]. matrices: (maps,H,r,D) -> (maps,H,2r,D). */
  static Tensor doubled(Tensor matrices) {
    return torch.cat(new TensorVector(matrices, matrices.neg()), 2);
  }

  /** A second layer that makes W·x again of silu(±W·x), since silu(u) − silu(−u) = u: [I, −I]. like: (maps,H,r,2r). */
  static Tensor difference(Tensor like) {
    long r = like.size(2);
    var identity = torch.eye(r, like.options());
    return torch.cat(new TensorVector(identity, identity.neg()), 1).expand(like.shape()).clone();
  }
}
