package dev.walsh.kernels.hla;

import dev.walsh.kernels.hla.CudaKernels.Carried;
import dev.walsh.kernels.hla.CudaKernels.Cut;
import dev.walsh.kernels.hla.CudaKernels.Features;
import dev.walsh.kernels.nn.KernelCache;
import dev.walsh.tensor.Dtype;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The weighted mean in each of its forms on the GPU's tensor cores, for features in bf16: the sums are divided where they are made.
 *
 * @param factors F
 * @param causal whether a token sees itself and those before it alone
 * @param states whether there is a state; without, all pairs
 * @param chunk C of causal states
 */
record CudaForms(int factors, boolean causal, boolean states, long chunk) {
  private static final long FEW_ENTRIES = 256;
  private static final long CHUNK = 256;
  private static final long LONG_CHUNK = 512;
  /** Elements of bf16 that one access moves: rows of features are tokens, so their number is a multiple of it. */
  private static final long VECTOR = 8;
  private static final long SHORT_BLOCK = CudaShape.block(true);
  /** Blocks that keep a large GPU busy for some rounds, and the fewest tokens that are worth one. */
  private static final long BUSY_BLOCKS = 768;
  private static final long LEAST_SUMMED = 512;

  private static final KernelCache<CudaShape, CudaKernels> KERNELS = new KernelCache<>("Sums of Hadamard linear attention",
      CudaKernels::new);

  /** Whether there are kernels for an attention of such values: bf16 on the GPU, positive weights, features that fit. */
  static boolean covers(HlaSpec spec, Tensor v) {
    if (!v.is_cuda() || Dtype.of(v) != Dtype.BF16 || spec.normalizer() != Normalizer.SUM || spec.rotation() == Rotation.AFTER) return false;
    long trail = 1;
    for (int i = 1; i < spec.factors().size(); i++) trail *= spec.features(i);
    return spec.factors().stream().noneMatch(FeatureMap::isSigned) && CudaShape.covers(spec.features(0), trail, spec.headWidth());
  }

  /** The fastest chunk, as measured. */
  static long usualChunk(HlaSpec spec) {
    return spec.stateEntries() <= FEW_ENTRIES ? CHUNK : LONG_CHUNK;
  }

  /**
   * The longest causal sequence for which all pairs are faster than states. These move their sums through memory, so that lies higher than by
   * count: measured between 512 and 1024 tokens with R = 64, 1024 and 2048 with 256, 2048 and 4096 with 1024.
   */
  static long mostPaired(HlaSpec spec) {
    return 512 + 5 * spec.stateEntries() / 2;
  }

  /** A form of what is {@linkplain #covers covered}; null where its chunks are no multiple of what the kernels take at a time. */
  static @Nullable CudaForms of(HlaSpec spec, Form form, long chunk) {
    int factors = spec.factors().size();
    return switch (form) {
      case REFERENCE -> null;
      case QUADRATIC -> new CudaForms(factors, spec.causal(), false, 0);
      case LINEAR -> new CudaForms(factors, false, true, 0);
      case CHUNKED -> chunk % SHORT_BLOCK == 0 ? new CudaForms(factors, true, true, chunk) : null;
    };
  }

  /**
   * x -> what the values are divided to by the sums of weights, in their shape and dtype; null where the machine cannot run the kernels. Where
   * values are (B,H,N,D), so that heads lie side by side within a token.
   *
   * @param decay (G,chunks), or null for ones
   */
  @Nullable
  Tensor apply(Operands x, @Nullable Tensor decay) {
    return run(x, decay, null);
  }

  /**
   * The same of tokens that come after others, without gradients; null likewise, and where tied factors make the state smaller.
   *
   * @param state (G,R,D+1) that those left, which goes on in place
   */
  @Nullable
  Tensor proceed(Operands x, @Nullable Tensor decay, Tensor state) {
    return x.hasAllProducts(state.size(1)) ? run(x, decay, new Carried(state, x.keys().getFirst().size(1))) : null;
  }

  private @Nullable Tensor run(Operands x, @Nullable Tensor decay, @Nullable Carried carried) {
    var q = features(x.queries());
    var k = features(x.keys());
    var values = rows(Objects.requireNonNull(x.values()));
    long tokens = values.size(2);
    boolean hasStates = states && (!causal || tokens > chunk || carried != null);
    boolean isShort = hasStates && causal ? chunk % CudaShape.block(false) != 0 : tokens <= SHORT_BLOCK;
    int trail = q.trail() == null ? 1 : (int) q.trail().size(1);
    var shape = new CudaShape((int) q.lead().size(1), trail, (int) values.size(3), causal, hasStates, isShort);
    var kernels = KERNELS.of(shape);
    if (kernels == null) return null;
    // Only from chunk to chunk of a sequence do scales change.
    var fading = hasStates && causal ? decay : null;
    var out = new CudaCall(kernels, shape, q, k, values, fading, carried, cut(shape, x.groups(), tokens)).apply();
    return (tokens == x.length() ? out : out.narrow(2, 0, x.length())).view(x.values().shape());
  }

  /** (…,N,D) -> (B,H,N,D), with zeros where features are padded. */
  private static Tensor rows(Tensor values) {
    var ofHeads = values.dim() == 4 ? values : values.unsqueeze(0);
    return values.size(-2) % VECTOR == 0 ? CudaKernels.fetchable(ofHeads) : padded(ofHeads, 2, VECTOR);
  }

  private Cut cut(CudaShape shape, long groups, long tokens) {
    if (!shape.states()) return new Cut(tokens, Math.ceilDiv(tokens, shape.block()) * shape.block());
    if (causal) return new Cut(tokens, chunk);
    long parts = Math.clamp(Math.ceilDiv(BUSY_BLOCKS, groups * shape.blocksAChunk()), 1, Math.ceilDiv(tokens, LEAST_SUMMED));
    return new Cut(tokens, Math.ceilDiv(Math.ceilDiv(tokens, parts), SHORT_BLOCK) * SHORT_BLOCK);
  }

  /** Of a third factor, its products with the second, in the order of states; they are fewer than N×R by the first factor's rank. */
  private Features features(List<Tensor> x) {
    var lead = padded(padded(x.getFirst(), 1, CudaShape.unit(x.getFirst().size(1))), 2, VECTOR);
    if (factors == 1) return new Features(lead, null);
    var trail = x.get(Math.min(1, x.size() - 1));
    if (factors == 3) {
      var last = x.getLast();
      trail = trail.unsqueeze(2).mul(last.unsqueeze(1)).view(trail.size(0), -1, trail.size(2));
    }
    return new Features(lead, padded(trail, 2, VECTOR));
  }

  /** With as many zeros at the end of a dimension of (G,r,N) or (B,H,N,D) as make it a multiple; contiguous. */
  private static Tensor padded(Tensor x, int dimension, long unit) {
    long missing = -x.size(dimension) & (unit - 1);
    if (missing == 0) return x.contiguous();
    return torch.constant_pad_nd(x, dimension == x.dim() - 1 ? new long[] {0, missing} : new long[] {0, 0, 0, missing}, new Scalar(0));
  }
}
