package dev.walsh.kernels.hla;

import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The feature maps of all factors, and the scales that keep their products in range. Whatever multiplies all features of a query cancels, so
 * each row is scaled by itself; of keys, nothing but what multiplies all keys cancels. Scales are constants of the backward pass, since the
 * output does not depend on them. What lies between inputs and features is let go of at once, but for what backward needs.
 */
final class FeatureMaps {
  private static final double TINY = 1e-30;
  // A feature of exp is never less than e^-80/F of the greatest, so that no product of F is below float32's least normal number, e^-87.
  private static final double RANGE = 80;

  /** One map of one side. */
  private record Use(FeatureLayer layer, int which) {
    Tensor apply(Tensor x, long position) {
      return layer.apply(which, x, position);
    }

    @Nullable
    Tensor fused(Tensor x, boolean keys) {
      return layer.fused(which, x, keys);
    }
  }

  private final int factors;
  // Features that are still to be rotated are rounded but after that.
  private final boolean canFuse;
  private final List<Use> ofQueries = new ArrayList<>();
  private final List<Use> ofKeys = new ArrayList<>();

  FeatureMaps(HlaSpec spec, Weights.Path path) {
    factors = spec.factors().size();
    canFuse = spec.rotation() != Rotation.AFTER;
    if (spec.isPacked()) {
      int queries = spec.tieQueries() ? 1 : factors;
      int keys = spec.tieKeys() ? 1 : factors;
      var layer = FeatureLayer.create(spec, spec.factors().getFirst(), queries + keys, FeatureInit.tied(spec), path.at("factors"));
      for (int i = 0; i < queries; i++) ofQueries.add(new Use(layer, i));
      for (int i = 0; i < keys; i++) ofKeys.add(new Use(layer, queries + i));
      return;
    }
    for (int i = 0; i < factors; i++) {
      var layer = FeatureLayer.create(spec, spec.factors().get(i), 2, FeatureInit.untied(spec, i), path.at("factor." + i));
      ofQueries.add(new Use(layer, 0));
      ofKeys.add(new Use(layer, 1));
    }
  }

  /** The number of scales that a state keeps: of the maps of keys that are logarithmic. */
  int scales() {
    return (int) ofKeys.stream().filter(use -> use.layer.isLogarithmic()).count();
  }

  /** The kernel that computes a token of such an attention; null where there is none. */
  @Nullable
  CudaToken token(HlaSpec spec) {
    var maps = new ArrayList<CudaToken.Maps>();
    for (var use : ofKeys) {
      var ofFactor = use.layer.maps();
      if (ofFactor == null) return null;
      maps.add(ofFactor);
    }
    return CudaToken.of(spec, maps);
  }

  /** q: (B,H,N,D) -> features (B,H,r_i,N) of each factor, or of one for all, in the dtype of sums or as they are stored. */
  List<Tensor> queries(Tensor q, long position) {
    var together = together(ofQueries, q, false);
    if (together != null) return together;
    return ofQueries.stream().map(use -> query(use, q, position)).toList();
  }

  private Tensor query(Use use, Tensor q, long position) {
    var fused = fused(use, q, false);
    if (fused != null) return fused;
    try (var scope = Scope.open()) {
      return scope.escape(scaled(use.layer, use.apply(q, position)));
    }
  }

  /** All maps of a side by one kernel, whose gradient lives in the scope that is open, as it must be until backward; null where there is none. */
  private @Nullable List<Tensor> together(List<Use> uses, Tensor x, boolean keys) {
    var maps = new ArrayList<CudaProjection.Map>();
    for (var use : uses) {
      var map = canFuse ? use.layer.projection(use.which) : null;
      if (map == null) return null;
      maps.add(map);
    }
    return CudaProjection.of(maps, x, keys);
  }

  /** The same of one map. */
  private @Nullable Tensor fused(Use use, Tensor x, boolean keys) {
    return canFuse ? use.fused(x, keys) : null;
  }

  private Tensor scaled(FeatureLayer layer, Tensor x) {
    if (layer.isLogarithmic()) return exp(x.sub(x.detach().amax(new long[] {2}, true)));
    return layer.isPositive() ? x.div(x.detach().mean(2).unsqueeze(2).clamp_min(new Scalar(TINY))) : x;
  }

  /**
   * What keys become.
   *
   * @param features (B,H,r_i,N) of each factor, or of one for all, in the dtype of sums or as they are stored
   * @param decay by what the state is multiplied before each chunk, (B,H,chunks); null where features have no scale
   * @param scales those of the last chunk, (B,H) for each map that has one
   */
  record Keys(List<Tensor> features, @Nullable Tensor decay, List<Tensor> scales) {}

  /**
   * k: (B,H,N,D), not empty.
   *
   * @param mask (B,N), true where a key takes part; null for everywhere
   * @param position of the first
   * @param chunk tokens that share a scale
   * @param before the scales that earlier tokens left; empty where there are none
   */
  Keys keys(Tensor k, @Nullable Tensor mask, long position, long chunk, List<Tensor> before) {
    var fused = new ArrayList<@Nullable Tensor>();
    var together = together(ofKeys, k, true);
    for (int i = 0; i < ofKeys.size(); i++) fused.add(together != null ? together.get(i) : fused(ofKeys.get(i), k, true));
    try (var scope = Scope.open()) {
      var keys = made(k, fused, mask, position, chunk, before);
      keys.features.forEach(scope::escape);
      keys.scales.forEach(scope::escape);
      if (keys.decay != null) scope.escape(keys.decay);
      return keys;
    }
  }

  /** @param fused what is made already of each map, null where it is not */
  private Keys made(Tensor k, List<@Nullable Tensor> fused, @Nullable Tensor mask, long position, long chunk, List<Tensor> before) {
    var absent = mask == null ? null : mask.logical_not().unsqueeze(1);
    Tensor decay = null;
    var scales = new ArrayList<Tensor>();
    var features = new ArrayList<Tensor>();
    for (int i = 0; i < ofKeys.size(); i++) {
      var use = ofKeys.get(i);
      var ready = fused.get(i);
      var x = ready != null ? ready : use.apply(k, position);
      if (use.layer.isLogarithmic()) {
        var scale = KeyScale.of(x, absent, chunk, before.isEmpty() ? null : before.get(scales.size()));
        scales.add(scale.last());
        decay = decay == null ? scale.decay() : decay.add(scale.decay());
        x = exp(x.sub(scale.perToken()));
      }
      features.add(absent == null ? x : x.masked_fill(absent.unsqueeze(1), new Scalar(0)));
    }
    return new Keys(features, decay == null ? null : decay.mul(new Scalar(keyPower())).exp(), scales);
  }

  /** The least logarithm of a feature of exp, whose greatest is 1. */
  static double leastLogarithm(int factors) {
    return -RANGE / factors;
  }

  /** How many factors a map of keys serves. */
  private int keyPower() {
    return factors / ofKeys.size();
  }

  /** Not above 1 either: a masked key may exceed the greatest of the others. */
  private Tensor exp(Tensor scaledLogarithms) {
    return scaledLogarithms.clamp(new ScalarOptional(new Scalar(leastLogarithm(factors))), new ScalarOptional(new Scalar(0))).exp();
  }
}
