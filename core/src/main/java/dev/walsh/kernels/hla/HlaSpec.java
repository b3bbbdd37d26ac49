package dev.walsh.kernels.hla;

import dev.walsh.config.UserError;
import java.util.List;

/**
 * What a Hadamard linear attention is: weights that are the product of the similarities of F factors, normalised row by row.
 *
 * @param heads attention heads, H
 * @param headWidth channels of a query, a key and a value, D
 * @param factors the feature map of each factor, one to three
 * @param tieQueries whether all factors share the features of queries
 * @param tieKeys whether all factors share the features of keys; tied on either side, the state is symmetric and kept packed
 * @param causal whether a token sees itself and those before it alone
 * @param normalizer what divides the weighted sum
 * @param rotation where RoPE acts
 * @param modulation the side of the state's products that takes the factors after the first
 */
public record HlaSpec(int heads, int headWidth, List<FeatureMap> factors, boolean tieQueries, boolean tieKeys, boolean causal,
    Normalizer normalizer, Rotation rotation, Modulation modulation) {
  /** The most bytes of state that a head may have, in float32. */
  public static final long MOST_STATE_BYTES = 64L << 20;
  private static final int MOST_FACTORS = 3;
  // With which Based projects a head before it takes the Taylor features.
  private static final int BASED_CHANNELS = 16;

  public HlaSpec {
    factors = List.copyOf(factors);
    if (heads <= 0) throw new UserError("heads = " + heads + "; attention needs at least one");
    if (headWidth <= 0) throw new UserError("the heads' width is " + headWidth + "; it must be positive");
    if (factors.isEmpty() || factors.size() > MOST_FACTORS) {
      throw new UserError(factors.size() + " factors: Hadamard linear attention takes 1 to " + MOST_FACTORS);
    }
    if ((tieQueries || tieKeys) && factors.stream().distinct().count() > 1) {
      throw new UserError("tied factors share their features, but these maps differ: " + factors + "; give all the same or untie them");
    }
    checkShares(headWidth, factors, tieQueries || tieKeys);
    checkRotation(headWidth, factors, rotation);
    checkSigns(factors, tieQueries && tieKeys, normalizer);
    checkState(headWidth, factors, tieQueries || tieKeys);
  }

  /** Untied factors, a denominator, and queries and keys that come rotated. */
  public static HlaSpec of(int heads, int headWidth, boolean causal, List<FeatureMap> factors) {
    return new HlaSpec(heads, headWidth, factors, false, false, causal, Normalizer.SUM, Rotation.BEFORE, Modulation.FEATURES);
  }

  /** Control: linear attention of Katharopoulos et al. */
  public static HlaSpec katharopoulos(int heads, int headWidth, boolean causal) {
    return of(heads, headWidth, causal, List.of(new FeatureMap.EluPlusOne()));
  }

  /** Control: cosFormer, which weighs by position itself and so takes no RoPE. */
  public static HlaSpec cosFormer(int heads, int headWidth, boolean causal, int context) {
    return of(heads, headWidth, causal, List.of(new FeatureMap.Cosine(context))).with(Rotation.NONE);
  }

  /** Control: Based's second-order Taylor features of 16 channels. */
  public static HlaSpec based(int heads, int headWidth, boolean causal) {
    return of(heads, headWidth, causal, List.of(new FeatureMap.Taylor(BASED_CHANNELS)));
  }

  public HlaSpec tied(boolean queries, boolean keys) {
    return new HlaSpec(heads, headWidth, factors, queries, keys, causal, normalizer, rotation, modulation);
  }

  public HlaSpec with(Normalizer normalizer) {
    return new HlaSpec(heads, headWidth, factors, tieQueries, tieKeys, causal, normalizer, rotation, modulation);
  }

  public HlaSpec with(Rotation rotation) {
    return new HlaSpec(heads, headWidth, factors, tieQueries, tieKeys, causal, normalizer, rotation, modulation);
  }

  public HlaSpec with(Modulation modulation) {
    return new HlaSpec(heads, headWidth, factors, tieQueries, tieKeys, causal, normalizer, rotation, modulation);
  }

  /** Untied factors approximate exp each on channels of their own, so there must be enough for all; RoPE's pairs stay together. */
  private static void checkShares(int headWidth, List<FeatureMap> factors, boolean tied) {
    if (!tied && factors.stream().anyMatch(FeatureMap::isLearned) && (headWidth + 1) / 2 < factors.size()) {
      throw new UserError(factors.size() + " factors cannot share a head of " + headWidth
          + " channels, two at least for each; use wider heads or fewer factors");
    }
  }

  private static void checkRotation(int headWidth, List<FeatureMap> factors, Rotation rotation) {
    if (rotation != Rotation.AFTER) return;
    for (var map : factors) {
      if (map.features(headWidth) % 2 != 0) {
        throw new UserError(map + " makes " + map.features(headWidth)
            + " features, but RoPE rotates pairs of them; make their number even or rotate before the map");
      }
    }
  }

  private static void checkSigns(List<FeatureMap> factors, boolean tied, Normalizer normalizer) {
    if (normalizer != Normalizer.SUM || factors.stream().noneMatch(FeatureMap::isSigned)) return;
    if (tied && factors.size() % 2 == 0) return;
    throw new UserError("the similarities of " + factors.getFirst() + " can be negative, and so can the denominator of " + factors.size()
        + (tied ? " tied" : " untied")
        + " factors; tie an even number of factors on queries and keys, normalise by RMS or use another feature map");
  }

  private static void checkState(int headWidth, List<FeatureMap> factors, boolean tied) {
    double entries = 1;
    for (int i = 0; i < factors.size(); i++) {
      double features = factors.get(i).features(headWidth);
      entries *= tied ? (features + i) / (i + 1) : features;
    }
    double bytes = Float.BYTES * entries * (headWidth + 1);
    if (bytes > MOST_STATE_BYTES) {
      var ranks = factors.stream().map(map -> Integer.toString(map.features(headWidth))).toList();
      throw new UserError("factors of " + String.join(" × ", ranks) + " features keep a state of "
          + String.format(java.util.Locale.ROOT, "%,.0f", bytes) + " bytes a head, more than the "
          + String.format(java.util.Locale.ROOT, "%,d", MOST_STATE_BYTES) + " allowed; lower the ranks"
          + (tied ? "" : ", tie the factors") + " or use fewer of them");
    }
  }

  /** The number of features of a factor, r_i. */
  int features(int factor) {
    return factors.get(factor).features(headWidth);
  }

  /** Whether the state is symmetric in its factors. */
  boolean isPacked() {
    return tieQueries || tieKeys;
  }

  /** The entries that a column of the state has, R: the product of the r_i, or as many as are distinct of a symmetric state. */
  public long stateEntries() {
    long entries = 1;
    for (int i = 0; i < factors.size(); i++) entries = isPacked() ? entries * (features(i) + i) / (i + 1) : entries * features(i);
    return entries;
  }

  /** The bytes of state of one head, in float32: what a token costs to remember is constant in N. */
  public long stateBytes() {
    return Float.BYTES * stateEntries() * (headWidth + 1);
  }
}
