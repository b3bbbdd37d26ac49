package dev.walsh.model;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.ModelConfig;
import dev.walsh.kernels.hla.FeatureMap;
import dev.walsh.kernels.hla.Form;
import dev.walsh.kernels.hla.Hla;
import dev.walsh.kernels.hla.HlaSpec;
import dev.walsh.kernels.hla.HlaState;
import dev.walsh.kernels.hla.Modulation;
import dev.walsh.kernels.hla.Normalizer;
import dev.walsh.kernels.hla.Rotation;
import dev.walsh.kernels.nn.Rope;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import java.util.Collections;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Hadamard linear attention, and the linear attentions that are controls of it; what it remembers is a state of constant size.
 *
 * <p>The matrices of feature maps decay as those of queries and keys do, with which they form one product: were either free, the scale that
 * decay takes from the one would move to the other. Offsets are free, as all vectors are.
 */
final class HlaAttention implements Attention {
  /** Where the weights of feature maps are, below those of a layer's attention. */
  static final String MAPS = "hla";
  // Against rows without any weight where all features of a factor are cut off.
  private static final double RELU_FLOOR = 1e-3;

  private final AttentionKind kind;
  private final HlaSpec spec;
  private final QkvProjection qkv;
  private final Rope rope;
  private final Hla hla;
  private final Kernels kernels;
  private final int modelBytes;
  private final int sumBytes;

  HlaAttention(ModelConfig config, AttentionKind kind, Rope rope, Weights.Path path, Kernels kernels) {
    this.kind = kind;
    spec = spec(config, kind);
    this.rope = rope;
    this.kernels = kernels;
    qkv = new QkvProjection(config, path, kernels);
    hla = new Hla(spec, path.at(MAPS));
    modelBytes = path.dtype().bytes();
    sumBytes = Math.max(modelBytes, Dtype.F32.bytes());
  }

  /**
   * What the kernels are asked for.
   *
   * @throws dev.walsh.config.UserError for factors whose state does not fit, or whose denominator could be negative
   */
  static HlaSpec spec(ModelConfig config, AttentionKind of) {
    int heads = config.heads();
    int headWidth = config.headWidth();
    return switch (of) {
      case AttentionKind.Softmax _,AttentionKind.ByLayer _ -> throw new IllegalArgumentException(of + " is no linear attention");
      case AttentionKind.Katharopoulos _ -> HlaSpec.katharopoulos(heads, headWidth, true);
      case AttentionKind.CosFormer _ -> HlaSpec.cosFormer(heads, headWidth, true, config.context());
      case AttentionKind.Based _ -> HlaSpec.based(heads, headWidth, true);
      case AttentionKind.Hadamard kind -> new HlaSpec(heads, headWidth, Collections.nCopies(kind.factors(), map(kind)),
          isTied(kind, AttentionKind.Tie.QUERIES), isTied(kind, AttentionKind.Tie.KEYS), true, normalizer(kind), rotation(kind),
          Modulation.FEATURES);
    };
  }

  private static FeatureMap map(AttentionKind.Hadamard kind) {
    return switch (kind.map()) {
      case SOFTPLUS -> new FeatureMap.Softplus(kind.rank());
      case EXP -> new FeatureMap.Exp(kind.rank());
      case RELU -> new FeatureMap.Relu(kind.rank(), RELU_FLOOR);
      case PERCEPTRON -> new FeatureMap.Perceptron(kind.rank());
      case TAYLOR -> new FeatureMap.Taylor(kind.rank());
      case AFFINE -> new FeatureMap.Affine(kind.rank());
    };
  }

  private static boolean isTied(AttentionKind.Hadamard kind, AttentionKind.Tie side) {
    return kind.tie() == side || kind.tie() == AttentionKind.Tie.BOTH;
  }

  private static Normalizer normalizer(AttentionKind.Hadamard kind) {
    return switch (kind.normalizer()) {
      case SUM -> Normalizer.SUM;
      case RMS -> Normalizer.RMS;
    };
  }

  private static Rotation rotation(AttentionKind.Hadamard kind) {
    return switch (kind.rope()) {
      case BEFORE -> Rotation.BEFORE;
      case AFTER -> Rotation.AFTER;
      case NONE -> Rotation.NONE;
    };
  }

  @Override
  public Tensor apply(Tensor n) {
    var packed = qkv.apply(n);
    Rope.Heads heads;
    if (spec.rotation() != Rotation.BEFORE) {
      heads = Rope.split(packed, spec.headWidth());
    } else {
      heads = kernels == Kernels.PLAIN ? rope.plain(packed) : rope.apply(packed);
    }
    return hla.apply(heads.query(), heads.key(), heads.value(), null).transpose(1, 2).reshape(n.shape());
  }

  @Override
  public Tensor apply(Tensor n, DecodeState.Pass pass, int layer) {
    return qkv.attend(n, pass, layer);
  }

  /** New tokens' heads before anything is remembered. packed: (N,3C), nobody else's; angles: of the N tokens -> (1,H,N,D) each. */
  Rope.Heads heads(Tensor packed, Rope.Angles angles) {
    var one = packed.unsqueeze(0);
    if (spec.rotation() != Rotation.BEFORE) return Rope.split(one, spec.headWidth());
    return kernels == Kernels.PLAIN ? rope.plain(one, angles) : rope.apply(one, angles);
  }

  /** The bytes that a sequence is remembered by. */
  long stateBytes() {
    return spec.heads() * spec.stateBytes();
  }

  /** What is remembered of sequences before their first tokens, to be closed by the caller. */
  HlaState start(int sequences) {
    return hla.start(sequences);
  }

  /** Whether sequences that are not equally long can go on in one call: the state counts no positions of its own. */
  boolean stepsTogether() {
    return spec.rotation() == Rotation.BEFORE || spec.rotation() == Rotation.NONE && kind.takesAnyLength();
  }

  /**
   * Goes on with sequences by as many tokens each, which follow one another from {@code first} on: heads (1,H,N,D) -> the concatenated heads
   * (sequences·tokens,C).
   */
  Tensor proceed(Rope.Heads heads, long first, long sequences, long tokens, HlaState state) {
    var out = hla.proceed(each(heads.query(), first, sequences, tokens), each(heads.key(), first, sequences, tokens),
        each(heads.value(), first, sequences, tokens), null, state);
    return out.transpose(1, 2).reshape(sequences * tokens, (long) spec.heads() * spec.headWidth());
  }

  /** (1,H,N,D) -> (sequences,H,tokens,D). */
  private static Tensor each(Tensor heads, long first, long sequences, long tokens) {
    return heads.narrow(2, first, sequences * tokens).unflatten(2, sequences, tokens).squeeze(0).transpose(0, 1);
  }

  /**
   * Goes on with many sequences by a token each: heads (1,H,N,D) -> the concatenated heads (N,C).
   *
   * @param present (N,1), true where there is a sequence; null for everywhere
   */
  Tensor step(Rope.Heads heads, @Nullable Tensor present, HlaState state) {
    var out = hla.proceed(heads.query().transpose(0, 2), heads.key().transpose(0, 2), heads.value().transpose(0, 2), present, state);
    return out.reshape(-1, (long) spec.heads() * spec.headWidth());
  }

  /** Whether a token each of so many sequences is one kernel, from packed rows to the concatenated heads. */
  boolean isOneKernel(int sequences) {
    return kernels != Kernels.PLAIN && hla.hasSteps(sequences);
  }

  /**
   * As {@link #step(Rope.Heads, Tensor, HlaState)}, by that kernel: packed (N,3C) -> (N,C).
   *
   * @param positions (N) int64: how many tokens came before each
   * @param active (N) int64, 0 where there is no sequence
   * @param state of N sequences at least, whose first ones go on
   */
  Tensor step(Tensor packed, Tensor positions, Tensor active, HlaState state) {
    return hla.steps(packed, rope, positions, active, state);
  }

  @Override
  public Cost cost(int length) {
    int width = spec.heads() * spec.headWidth();
    var cost = hla.cost();
    Form form = cost.choose(length);
    double maps = cost.maps();
    double features = cost.features();
    var sums = new Cost(cost.parameters(), cost.forward(form, length) / length + maps, cost.backward(form, length) / length + 2 * maps,
        kept(width, features), 0);
    // RoPE as in softmax attention; features are read and written once forward, and with their gradients backward.
    return qkv.cost().plus(sums).moving(10.0 * width + 5 * features);
  }

  /**
   * Elements of the model's dtype that backward needs of a token: queries, keys, values, these as the sums read them, and the heads' output; a copy
   * of what each learned map reads, wide where inputs are narrower than sums; each feature before its nonlinearity and after it, both wide, and
   * as it is stored; and the sums, from which the normaliser's gradient is made.
   */
  private double kept(int width, double features) {
    double wide = sumBytes / (double) modelBytes;
    double copies = spec.factors().getFirst().isLearned() ? maps() * width * (wide > 1 ? 1 + wide : 1) : 0;
    return 5.0 * width + copies + features * (2 * wide + 1) + (width + spec.heads()) * wide;
  }

  /** The feature maps of both sides. */
  private int maps() {
    int factors = spec.factors().size();
    return (spec.tieQueries() ? 1 : factors) + (spec.tieKeys() ? 1 : factors);
  }
}
