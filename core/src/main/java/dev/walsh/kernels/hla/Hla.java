package dev.walsh.kernels.hla;

import dev.walsh.kernels.nn.Rope;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Hadamard-product linear attention: values weighed by the product of F kernel similarities, of which each is an inner product of features,
 * and normalised row by row. Reconstructed from the abstract of arXiv 2602.12128, of which the README tells what is known.
 *
 * <pre>
 * A = φ₁(Q)φ₁(K)ᵀ ∘ … ∘ φ_F(Q)φ_F(K)ᵀ        O = A·V / rowsum(A)
 * </pre>
 *
 * <p>One function in several forms, which agree but for rounding and in all gradients. Queries, keys and values are (B,H,N,D), and so is the
 * output. A key mask is (B,N) of booleans, true where a key takes part; a query none of whose keys do gets zeros.
 */
public final class Hla {
  /** The number of tokens whose features the bidirectional form has in hand at a time. */
  private static final long LINEAR_BLOCK = 512;
  // Against a division by zero alone: a mean square is 1/D at least.
  private static final double RMS_EPSILON = 1e-12;

  private final HlaSpec spec;
  private final HlaCost cost;
  private final FeatureMaps maps;
  private final Device device;
  private final Dtype dtype;
  private final Monomials monomials;
  private final Expansion queries;
  private final Expansion keys;
  private final Similarities similarities;
  private final @Nullable CudaToken token;

  /** Makes the feature maps' weights in {@code path}. */
  public Hla(HlaSpec spec, Weights.Path path) {
    this.spec = spec;
    cost = new HlaCost(spec);
    maps = new FeatureMaps(spec, path);
    device = path.device();
    dtype = path.dtype();
    int factors = spec.factors().size();
    monomials = new Monomials(IntStream.range(0, factors).map(spec::features).toArray(), spec.isPacked());
    queries = expansion(Side.queries(spec, monomials, path), path);
    keys = expansion(Side.keys(spec, monomials, path), path);
    similarities = new Similarities(factors, factors > 1 && spec.tieQueries() && spec.tieKeys());
    token = device == Device.CUDA && dtype == Dtype.BF16 ? maps.token(spec) : null;
  }

  private Expansion expansion(Side side, Weights.Path path) {
    boolean onValues = spec.modulation() == Modulation.VALUES && monomials.factors() > 1;
    return onValues ? new ValueModulation(monomials, side) : new FeatureExpansion(monomials, side, path);
  }

  public HlaSpec spec() {
    return spec;
  }

  public HlaCost cost() {
    return cost;
  }

  /** Attends in the form that costs least for as many tokens. */
  public Tensor apply(Tensor q, Tensor k, Tensor v, @Nullable Tensor keyMask) {
    return apply(choose(v), q, k, v, keyMask);
  }

  /** The form that costs least for values (B,H,N,D): by count, or where tensor cores compute it as measured. */
  Form choose(Tensor v) {
    long n = v.size(2);
    if (!spec.causal() || !CudaForms.covers(spec, v)) return cost.choose(n);
    return n <= CudaForms.mostPaired(spec) ? Form.QUADRATIC : Form.CHUNKED;
  }

  /** Attends in a given form: {@code LINEAR} where attention is bidirectional, {@code CHUNKED} where it is causal. */
  public Tensor apply(Form form, Tensor q, Tensor k, Tensor v, @Nullable Tensor keyMask) {
    return switch (form) {
      case REFERENCE -> reference(q, k, v, keyMask);
      case QUADRATIC -> quadratic(q, k, v, keyMask);
      case LINEAR -> linear(q, k, v, keyMask);
      case CHUNKED -> chunked(q, k, v, keyMask, usualChunk(v));
    };
  }

  /** The definition, as plain loops in float64 on the CPU, without gradients. */
  public Tensor reference(Tensor q, Tensor k, Tensor v, @Nullable Tensor keyMask) {
    check(q, k, v, keyMask);
    try (var scope = Scope.withoutGradients()) {
      var wide = Dtype.F64.scalarType();
      if (v.numel() == 0) return scope.escape(v.to(wide, false, true, null));
      var parts = parts(q.to(wide), k.to(wide), v.to(wide), keyMask, q.size(2), null);
      return scope.escape(new HlaReference(spec).apply(parts.numerators, parts.denominators).view(v.shape()));
    }
  }

  /** Over all pairs of tokens, a block at a time. */
  public Tensor quadratic(Tensor q, Tensor k, Tensor v, @Nullable Tensor keyMask) {
    check(q, k, v, keyMask);
    if (v.numel() == 0) return v.clone();
    return attended(Form.QUADRATIC, parts(q, k, v, keyMask, q.size(2), null), 0, v);
  }

  /** By way of one state that every query reads; only where attention is bidirectional. */
  public Tensor linear(Tensor q, Tensor k, Tensor v, @Nullable Tensor keyMask) {
    if (spec.causal()) throw new IllegalArgumentException("the linear form lets every token see all others, and attention is causal");
    check(q, k, v, keyMask);
    if (v.numel() == 0) return v.clone();
    return attended(Form.LINEAR, parts(q, k, v, keyMask, q.size(2), null), 0, v);
  }

  /**
   * Chunk by chunk; only where attention is causal.
   *
   * @param chunk tokens of a chunk; {@link HlaCost#chunk} is the usual one
   */
  public Tensor chunked(Tensor q, Tensor k, Tensor v, @Nullable Tensor keyMask, long chunk) {
    checkCausal();
    check(q, k, v, keyMask);
    if (v.numel() == 0) return v.clone();
    return attended(Form.CHUNKED, parts(q, k, v, keyMask, chunk, null), chunk, v);
  }

  /** Attends with features that are made: on tensor cores where these compute the form, else in libtorch's operators. */
  Tensor attended(Form form, Parts parts, long chunk, Tensor v) {
    var forms = CudaForms.covers(spec, v) ? CudaForms.of(spec, form, chunk) : null;
    var out = forms == null ? null : forms.apply(parts.numerators, parts.decay);
    if (out != null) return out.reshape(v.shape());
    return normalised(parts.sums().stream().map(x -> summed(form, x, parts.decay, chunk)).toList(), v);
  }

  private Tensor summed(Form form, Operands x, @Nullable Tensor decay, long chunk) {
    return switch (form) {
      case REFERENCE -> throw new IllegalArgumentException("the definition normalises by itself");
      case QUADRATIC -> new Quadratic(similarities, spec.causal()).apply(x);
      case LINEAR -> new Linear(queries, keys, monomials.size(), LINEAR_BLOCK).apply(x);
      case CHUNKED -> new Chunked(queries, keys, similarities, monomials.size(), chunk).apply(x, decay);
    };
  }

  /** The tokens of a chunk in which values of this dtype and place are attended to fastest. */
  long usualChunk(Tensor v) {
    return CudaForms.covers(spec, v) ? CudaForms.usualChunk(spec) : cost.chunk();
  }

  /** The state before any token, of {@code batch} sequences, to be closed by the caller. */
  public HlaState start(long batch) {
    checkCausal();
    long groups = batch * spec.heads();
    var sumDtype = Operands.sumDtype(dtype);
    boolean isCounted = spec.normalizer() == Normalizer.SUM;
    try (var scope = Scope.withoutGradients()) {
      var options = device.options(sumDtype);
      var sums = new ArrayList<Tensor>();
      boolean isApart = isCounted && spec.rotation() == Rotation.AFTER;
      sums.add(torch.zeros(new long[] {groups, monomials.size(), spec.headWidth() + (isCounted && !isApart ? 1 : 0)}, options));
      if (isApart) sums.add(torch.zeros(new long[] {groups, monomials.size(), 1}, options));
      var scales = new ArrayList<Tensor>();
      for (int i = 0; i < maps.scales(); i++) scales.add(KeyScale.none(batch, spec.heads(), options));
      sums.forEach(scope::keep);
      scales.forEach(scope::keep);
      return new HlaState(batch, sums, scales);
    }
  }

  /**
   * Goes on with sequences, chunk by chunk, and leaves what they are remembered by in {@code state}. Where gradients are recorded, these
   * pass through the state, which then lives in the scope of its latest tokens.
   */
  public Tensor proceed(Tensor q, Tensor k, Tensor v, @Nullable Tensor keyMask, HlaState state) {
    checkCausal();
    check(q, k, v, keyMask);
    if (v.numel() == 0) return v.clone();
    long chunk = q.size(2) > 1 ? usualChunk(v) : cost.chunk();
    var parts = parts(q, k, v, keyMask, chunk, state);
    var byKernels = proceedByKernels(parts, v, chunk, state);
    if (byKernels != null) {
      state.advance(state.sums(), parts.scales, q.size(2));
      return byKernels.reshape(v.shape());
    }
    var form = new Chunked(queries, keys, similarities, monomials.size(), chunk);
    var operands = parts.sums();
    var outs = new ArrayList<Tensor>();
    var after = new ArrayList<Tensor>();
    for (int i = 0; i < operands.size(); i++) {
      var result = form.proceed(operands.get(i), parts.decay, state.sums().get(i));
      outs.add(result.out());
      after.add(result.state());
    }
    state.advance(after, parts.scales, q.size(2));
    return normalised(outs, v);
  }

  /** The output of several tokens, with the state gone on in place, where no gradient is wanted and tensor cores compute it; else null. */
  private @Nullable Tensor proceedByKernels(Parts parts, Tensor v, long chunk, HlaState state) {
    boolean fits = v.size(2) > 1 && parts.denominators == null && CudaForms.covers(spec, v)
        && !CustomGradient.isWanted(parts.numerators.inputs().toArray(Tensor[]::new));
    var forms = fits ? CudaForms.of(spec, Form.CHUNKED, chunk) : null;
    return forms == null ? null : forms.proceed(parts.numerators, parts.decay, state.sums().getFirst());
  }

  /** One token: (B,H,1,D) each, in time and memory that do not depend on how many came before. */
  public Tensor step(Tensor q, Tensor k, Tensor v, HlaState state) {
    if (q.size(2) != 1) throw new IllegalArgumentException("a step is one token, not " + q.size(2));
    return proceed(q, k, v, null, state);
  }

  /** Whether one kernel of the GPU computes {@link #steps} of so many sequences. */
  public boolean hasSteps(long sequences) {
    return token != null && token.isThere(sequences);
  }

  /**
   * Goes on with sequences by a token each, from packed rows and without gradients, all by one kernel; only where there {@linkplain #hasSteps is} one.
   *
   * @param packed (N,3C), contiguous: queries and keys, which are still to be rotated, and values
   * @param rope that rotates them, where attention does so before its maps
   * @param positions (N) int64, contiguous: how many tokens came before each
   * @param active (N) int64, contiguous: 0 where there is no sequence, whose state stays what it is and whose output is zero
   * @param state of N sequences at least, whose first ones go on in place
   * @return (N,C)
   */
  public Tensor steps(Tensor packed, Rope rope, Tensor positions, Tensor active, HlaState state) {
    if (token == null) throw new IllegalStateException("no kernel computes a token of " + spec);
    return token.apply(packed, rope, positions, active, state);
  }

  private void checkCausal() {
    if (!spec.causal()) throw new IllegalArgumentException("chunks and states are of causal attention, and this one is bidirectional");
  }

  private void check(Tensor q, Tensor k, Tensor v, @Nullable Tensor keyMask) {
    var shape = v.shape();
    boolean isOurs = shape.length == 4 && shape[1] == spec.heads() && shape[3] == spec.headWidth();
    if (!isOurs || !Arrays.equals(q.shape(), shape) || !Arrays.equals(k.shape(), shape)) {
      throw new IllegalArgumentException("queries " + Arrays.toString(q.shape()) + ", keys " + Arrays.toString(k.shape()) + " and values "
          + Arrays.toString(shape) + " of " + spec.heads() + " heads of " + spec.headWidth() + " channels");
    }
    if (keyMask != null && !Arrays.equals(keyMask.shape(), new long[] {shape[0], shape[2]})) {
      throw new IllegalArgumentException("a key mask of " + Arrays.toString(keyMask.shape()) + " for keys of " + Arrays.toString(shape));
    }
  }

  /**
   * What is to be summed.
   *
   * @param numerators the weighted values, with the weights where both are of the same features
   * @param denominators the weights, where these are of features of their own
   * @param decay (G,chunks), or null
   * @param scales after the last token, (B,H) each
   */
  record Parts(Operands numerators, @Nullable Operands denominators, @Nullable Tensor decay, List<Tensor> scales) {
    List<Operands> sums() {
      return denominators == null ? List.of(numerators) : List.of(numerators, denominators);
    }
  }

  Parts parts(Tensor q, Tensor k, Tensor v, @Nullable Tensor keyMask, long chunk, @Nullable HlaState state) {
    long position = state == null ? 0 : state.position();
    var ofQueries = maps.queries(q, position);
    var ofKeys = maps.keys(k, keyMask, position, chunk, state == null ? List.of() : state.scales());
    var absent = keyMask == null ? null : keyMask.logical_not().unsqueeze(1).unsqueeze(3);
    // Whatever stands where nothing takes part, be it NaN, weighs nothing.
    var present = absent == null ? v : v.masked_fill(absent, new Scalar(0));
    // The kernels of the GPU take values where they lie.
    var values = CudaForms.covers(spec, v) ? present : present.reshape(-1, v.size(2), v.size(3));
    var decay = ofKeys.decay() == null ? null : ofKeys.decay().flatten(0, 1);
    boolean isCounted = spec.normalizer() == Normalizer.SUM;
    if (spec.rotation() != Rotation.AFTER) {
      var all = new Operands(stored(ofQueries, v), stored(ofKeys.features(), v), values, isCounted);
      return new Parts(all, null, decay, ofKeys.scales());
    }
    var numerators = new Operands(stored(rotated(ofQueries, position), v), stored(rotated(ofKeys.features(), position), v), values, false);
    var denominators = isCounted ? new Operands(stored(ofQueries, v), stored(ofKeys.features(), v), null, true) : null;
    return new Parts(numerators, denominators, decay, ofKeys.scales());
  }

  private static List<Tensor> rotated(List<Tensor> features, long position) {
    return features.stream().map(x -> Positions.rotated(x, position)).toList();
  }

  /** features: (B,H,r,N) each -> (G,r,N), rounded to the dtype of the values, which numerator and denominator share. */
  private static List<Tensor> stored(List<Tensor> features, Tensor v) {
    return features.stream().map(x -> x.to(v.scalar_type()).reshape(-1, x.size(2), x.size(3))).toList();
  }

  /** sums: (G,N,W) each -> (B,H,N,D). */
  private Tensor normalised(List<Tensor> sums, Tensor v) {
    long d = spec.headWidth();
    var first = sums.getFirst();
    var out = spec.normalizer() == Normalizer.RMS
        ? rootMeanSquareNormalised(first)
        : divided(first.narrow(2, 0, d), sums.size() > 1 ? sums.getLast() : first.narrow(2, d, 1));
    return out.reshape(v.shape()).to(v.scalar_type());
  }

  /** A row without weights is zero, and so is its gradient. */
  private static Tensor divided(Tensor weighted, Tensor weights) {
    return weighted.div(weights.masked_fill(weights.le(new Scalar(0)), new Scalar(1)));
  }

  /** The scale of weights means nothing, so none is too small to be normalised: first each row's greatest value becomes 1. */
  private static Tensor rootMeanSquareNormalised(Tensor weighted) {
    var peak = weighted.detach().abs().amax(new long[] {2}, true);
    var scaled = weighted.div(peak.masked_fill(peak.le(new Scalar(0)), new Scalar(1)));
    return torch.rms_norm(scaled, new long[] {weighted.size(2)}, new TensorOptional(), new DoubleOptional(RMS_EPSILON));
  }
}
