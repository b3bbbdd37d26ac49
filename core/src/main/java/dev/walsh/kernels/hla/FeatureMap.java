package dev.walsh.kernels.hla;

import dev.walsh.config.UserError;

/**
 * How a factor makes features of queries and keys; their inner product is the factor's similarity. All but the last two project the
 * head first, by a learned matrix a head (and side), whose initial value makes the similarity that of exp on the factor's share of the
 * channels; README says how well.
 */
public sealed interface FeatureMap {
  /** softplus(Wx + b) / (1 + κγ²|x|²/2), with {@code rank} features; the divisor is what of exp(q·k) a key's own length is not. */
  record Softplus(int rank) implements FeatureMap {
    public Softplus {
      positive("rank", rank);
    }

    @Override
    public int channels(int headWidth) {
      return rank;
    }
  }

  /** exp(Wx + b − γ²|x|²/2): positive random features (FAVOR+, arXiv 2009.14794) that are trained. Log-stabilised. */
  record Exp(int rank) implements FeatureMap {
    public Exp {
      positive("rank", rank);
    }

    @Override
    public int channels(int headWidth) {
      return rank;
    }
  }

  /** relu(Wx + b) + floor: without a floor, the zeros of several factors would leave rows without any weight. */
  record Relu(int rank, double floor) implements FeatureMap {
    public Relu {
      positive("rank", rank);
      if (!(floor > 0)) throw new UserError("the floor of ReLU features is " + floor + "; it must be positive, such as 0.001");
    }

    @Override
    public int channels(int headWidth) {
      return rank;
    }
  }

  /** As {@link Softplus}, of W₂ silu(W₁x) + b with 2·rank hidden channels a head. */
  record Perceptron(int rank) implements FeatureMap {
    public Perceptron {
      positive("rank", rank);
    }

    @Override
    public long entries(int headWidth) {
      return 2L * rank * (headWidth + rank);
    }

    @Override
    public int channels(int headWidth) {
      return rank;
    }
  }

  /** The second-order Taylor features of exp (Based, arXiv 2402.18668) of {@code channels} channels z = Wx: 1 + s + s²/2 ≥ 1/2. */
  record Taylor(int channels) implements FeatureMap {
    public Taylor {
      positive("number of channels", channels);
    }

    @Override
    public int channels(int headWidth) {
      return channels;
    }

    @Override
    public int features(int headWidth) {
      return Math.toIntExact(1 + channels + channels * (channels + 1L) / 2);
    }
  }

  /** [1, z] with z = Wx of {@code channels} channels: 1 + s, so that F tied factors are (1 + s/F)^F, which tends to exp(s). */
  record Affine(int channels) implements FeatureMap {
    public Affine {
      positive("number of channels", channels);
    }

    @Override
    public int channels(int headWidth) {
      return channels;
    }

    @Override
    public int features(int headWidth) {
      return channels + 1;
    }

    @Override
    public boolean isSigned() {
      return true;
    }
  }

  /** elu(x) + 1 of all channels (Katharopoulos et al., arXiv 2006.16236). */
  record EluPlusOne() implements FeatureMap {
    @Override
    public int channels(int headWidth) {
      return headWidth;
    }

    @Override
    public boolean isLearned() {
      return false;
    }
  }

  /**
   * relu(x) of all channels, times cos and sin of its position's angle π/2 · n/context (cosFormer, arXiv 2202.08791): relu(q)·relu(k) weighed
   * by cos(π/2 · (n − m)/context).
   */
  record Cosine(int context) implements FeatureMap {
    public Cosine {
      positive("context", context);
    }

    @Override
    public int channels(int headWidth) {
      return headWidth;
    }

    @Override
    public int features(int headWidth) {
      return 2 * headWidth;
    }

    @Override
    public boolean isLearned() {
      return false;
    }
  }

  /** The channels that the features are made of. */
  int channels(int headWidth);

  /** The number of features, r. */
  default int features(int headWidth) {
    return channels(headWidth);
  }

  /** Whether a similarity can be negative. */
  default boolean isSigned() {
    return false;
  }

  /** The entries of the matrices that a head and side learns. */
  default long entries(int headWidth) {
    return isLearned() ? (long) channels(headWidth) * headWidth : 0;
  }

  /** The offsets that a head and side learns. */
  default long offsets() {
    return switch (this) {
      case Softplus(int rank) -> rank;
      case Exp(int rank) -> rank;
      case Relu(int rank, double _) -> rank;
      case Perceptron(int rank) -> rank;
      case Taylor _,Affine _,EluPlusOne _,Cosine _ -> 0;
    };
  }

  /** Whether a learned matrix projects the head first. */
  default boolean isLearned() {
    return true;
  }

  private static void positive(String what, int value) {
    if (value <= 0) throw new UserError("the " + what + " of a feature map is " + value + "; it must be positive");
  }
}
