package dev.walsh.kernels.hla;

import java.util.stream.Stream;

/**
 * What an attention costs by form and length, in floating-point operations of all heads for one sequence (a multiply-add is 2), without its
 * feature maps; and from that, which form to take.
 */
public final class HlaCost {
  private static final long LEAST_CHUNK = 64;
  private static final long MOST_CHUNK = 512;

  private final HlaSpec spec;
  // Of the similarities, for a pair of tokens: 2Σr_i, and F products.
  private final double similarity;
  // Of the products of features, for a token.
  private final double expansion;
  private final double entries;
  // The weighted sums that are made: of values and weights at once, or apart where their features differ.
  private final int sums;
  private final double columns;

  public HlaCost(HlaSpec spec) {
    this.spec = spec;
    int factors = spec.factors().size();
    boolean isPower = spec.tieQueries() && spec.tieKeys();
    double ranks = 0;
    double products = 0;
    double stage = 1;
    for (int i = 0; i < factors; i++) {
      double r = spec.features(i);
      if (!isPower || i == 0) ranks += r;
      stage *= spec.isPacked() ? (r + i) / (i + 1) : r;
      if (i > 0) products += stage;
    }
    similarity = 2 * ranks + factors;
    expansion = 2 * products;
    entries = spec.stateEntries();
    boolean isCounted = spec.normalizer() == Normalizer.SUM;
    sums = isCounted && spec.rotation() == Rotation.AFTER ? 2 : 1;
    columns = spec.headWidth() + (isCounted ? 1 : 0);
  }

  /** Of the forward pass. */
  public double forward(Form form, long n) {
    return switch (form) {
      case REFERENCE, QUADRATIC -> pairs(n) * (sums * similarity + 2 * columns);
      case LINEAR -> n * state();
      case CHUNKED -> spec.heads() * (double) n * Math.min(n, chunk()) * (sums * similarity + 2 * columns) + n * state();
    };
  }

  /** Of the backward pass, which makes weights and products again. */
  public double backward(Form form, long n) {
    double pair = 3 * sums * similarity + 4 * columns;
    double token = spec.heads() * (10 * entries * columns + 5 * sums * expansion);
    return switch (form) {
      case REFERENCE, QUADRATIC -> pairs(n) * pair;
      case LINEAR -> n * token;
      case CHUNKED -> spec.heads() * (double) n * Math.min(n, chunk()) * pair + n * token;
    };
  }

  /** The trainable scalars of the feature maps. */
  public long parameters() {
    return spec.heads() * uses().mapToLong(map -> map.entries(spec.headWidth()) + map.offsets()).sum();
  }

  /** Of the feature maps' matrices, forward, for a token. */
  public double maps() {
    return 2.0 * spec.heads() * uses().mapToLong(map -> map.entries(spec.headWidth())).sum();
  }

  /** The features of a token's queries and keys, in all heads. */
  public long features() {
    return spec.heads() * uses().mapToLong(map -> map.features(spec.headWidth())).sum();
  }

  /** The maps of a head, one for each factor of each side, but one for a side that is tied. */
  private Stream<FeatureMap> uses() {
    var maps = spec.factors();
    return Stream.concat(maps.stream().limit(spec.tieQueries() ? 1 : maps.size()), maps.stream().limit(spec.tieKeys() ? 1 : maps.size()));
  }

  private double pairs(long n) {
    return spec.heads() * (spec.causal() ? n * (n + 1.0) / 2 : (double) n * n);
  }

  /** Writing a token into the state, and reading one from it. */
  private double state() {
    return spec.heads() * (4 * entries * columns + sums * expansion);
  }

  /** Of a token that is generated, whatever came before it. */
  public double step() {
    return state();
  }

  /**
   * The length of a chunk, a power of two: about where the pairs within a chunk cost as much as the state, so that half the work is in the
   * large products of either.
   */
  public long chunk() {
    double balanced = state() / spec.heads() / (sums * similarity + 2 * columns);
    return Math.clamp(Long.highestOneBit(Math.max(1, Math.round(balanced))), LEAST_CHUNK, MOST_CHUNK);
  }

  /** The form that costs least for a sequence of N tokens. */
  public Form choose(long n) {
    var other = spec.causal() ? Form.CHUNKED : Form.LINEAR;
    return forward(Form.QUADRATIC, n) <= forward(other, n) ? Form.QUADRATIC : other;
  }

  /** The longest sequence for which all pairs are the cheapest. */
  public long crossover() {
    long quadratic = 0;
    long other = Integer.MAX_VALUE;
    while (other - quadratic > 1) {
      long middle = (quadratic + other) >>> 1;
      if (choose(middle) == Form.QUADRATIC) {
        quadratic = middle;
      } else {
        other = middle;
      }
    }
    return quadratic;
  }
}
