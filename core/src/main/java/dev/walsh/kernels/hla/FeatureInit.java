package dev.walsh.kernels.hla;

import dev.walsh.tensor.Memory;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Initial matrices of feature maps, such that each factor's similarity approximates exp(q·k/√D) on its share of the channels. The shares
 * multiply to the whole: untied factors take channels of their own, tied ones, which are all alike, the F-th root of exp on all.
 *
 * <p>With γ = D^(−1/4) (times F^(−1/2) where tied) and z = γ(q + k), a normal row w has E[exp(w·z)] = exp(|z|²/2) = exp(γ²q·k) · exp(γ²|q|²/2)
 * · exp(γ²|k|²/2): the positive random features of FAVOR+. Orthogonal rows, each with its negative, have this value to second order without
 * any randomness: the mean of cosh(w·z) is 1 + |z|²/2 + …. Where features are fewer than that takes, they span a random part of the share and
 * leave the rest to uniform weights, which is nearer than the same part magnified.
 */
final class FeatureInit {
  // How far copies of one map lie apart, so that they do not stay one: a share of the matrix's deviation.
  private static final double SPREAD = 0.1;

  private final int headWidth;
  private final long[] share;
  private final double scale;

  private FeatureInit(int headWidth, IntPredicate isShared, double scale) {
    this.headWidth = headWidth;
    this.scale = scale;
    share = IntStream.range(0, headWidth).filter(isShared).asLongStream().toArray();
  }

  /** Of one of several untied factors: its share are pairs of channels that RoPE rotates together, c and c + D/2. */
  static FeatureInit untied(HlaSpec spec, int factor) {
    int d = spec.headWidth();
    int half = (d + 1) / 2;
    return new FeatureInit(d, c -> c % half * spec.factors().size() / half == factor, Math.pow(d, -0.25));
  }

  /** Of factors that share features on one side or both. */
  static FeatureInit tied(HlaSpec spec) {
    return new FeatureInit(spec.headWidth(), _ -> true, Math.pow(spec.headWidth(), -0.25) / Math.sqrt(spec.factors().size()));
  }

  /**
   * What makes of |x|² the mean of (w·x)² over the rows of {@link #paired}, before they are stretched: γ² on the channels of the share, less
   * where rows span a part of it, and 0 on other channels.
   */
  double[] meanSquares(long features) {
    double spanned = Math.min(1, (double) (features / 2) / share.length);
    var squares = new double[headWidth];
    for (long channel : share) squares[(int) channel] = spanned * scale * scale;
    return squares;
  }

  /**
   * The matrices of random features: orthogonal rows, as many blocks of them as there are pairs of features, and their negatives.
   *
   * @param drawn (maps,H,r,D), standard normal -> the same shape
   * @param stretch of the rows
   */
  Tensor paired(Tensor drawn, double stretch) {
    var dense = onShare(drawn);
    long pairs = dense.size(1) / 2;
    long channels = dense.size(2);
    var rows = new TensorVector();
    for (long from = 0; from < pairs; from += channels) {
      rows.push_back(orthogonalRows(dense.narrow(1, from, Math.min(channels, pairs - from))));
    }
    // Of an odd number, the last has no partner, and begins as a constant.
    double length = stretch * scale * Math.sqrt(Math.min(pairs, channels));
    var half = pairs == 0 ? dense.narrow(1, 0, 0) : torch.cat(rows, 1).mul(new Scalar(length));
    var last = torch.zeros_like(dense.narrow(1, 0, dense.size(1) % 2));
    return forAll(torch.cat(new TensorVector(half, half.neg(), last), 1), drawn);
  }

  /**
   * The matrices γ·U with orthonormal columns U on the share, so that inner products are kept, or where rows are fewer, orthonormal rows.
   *
   * @param drawn (maps,H,p,D), standard normal -> the same shape
   */
  Tensor orthonormal(Tensor drawn) {
    var dense = onShare(drawn);
    var basis = dense.size(1) < dense.size(2) ? orthogonalRows(dense) : torch.linalg_qr(dense).get0();
    return forAll(basis.mul(new Scalar(scale)), drawn);
  }

  /** What the first map drew on the channels of the share: (H,rows,channels). */
  private Tensor onShare(Tensor drawn) {
    return drawn.select(0, 0).index_select(2, index());
  }

  private Tensor index() {
    return Memory.tensor(share, share.length);
  }

  /** rows: (H,n,channels), n at most as many as channels -> an orthonormal basis of what they span. */
  private static Tensor orthogonalRows(Tensor rows) {
    return torch.linalg_qr(rows.transpose(1, 2)).get0().transpose(1, 2);
  }

  /** One matrix a head, (H,rows,channels), for all maps; apart by little where there are more than one a side. */
  private Tensor forAll(Tensor matrix, Tensor drawn) {
    var all = torch.zeros_like(drawn);
    var deviation = matrix.mul(matrix).mean().sqrt().mul(new Scalar(SPREAD));
    long others = drawn.size(0) - 1;
    for (long map = 0; map <= others; map++) {
      boolean isApart = others > 1 && map > 0;
      var own = isApart ? drawn.select(0, map).index_select(2, index()).mul(deviation).add(matrix) : matrix;
      all.select(0, map).index_copy_(2, index(), own);
    }
    return all;
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
