package dev.walsh.config;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.util.List;
import java.util.Locale;

/** By what the tokens of a model weigh one another: softmax, or sums whose memory does not grow with the text. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind")
@JsonSubTypes({@JsonSubTypes.Type(value = AttentionKind.Softmax.class, name = "softmax"),
    @JsonSubTypes.Type(value = AttentionKind.Hadamard.class, name = "hla"),
    @JsonSubTypes.Type(value = AttentionKind.Katharopoulos.class, name = "katharopoulos"),
    @JsonSubTypes.Type(value = AttentionKind.CosFormer.class, name = "cosformer"),
    @JsonSubTypes.Type(value = AttentionKind.Based.class, name = "based"),
    @JsonSubTypes.Type(value = AttentionKind.ByLayer.class, name = "by-layer")})
public sealed interface AttentionKind {
  /** How {@link #names} are varied, for the end of a sentence that lists them. */
  String VARIATIONS = AttentionName.VARIATIONS;

  /** The names that {@link #named} takes, but for {@link #VARIATIONS}. */
  static List<String> names() {
    return AttentionName.NAMES;
  }

  /** Whether {@link #named} knows the name. */
  static boolean isName(String name) {
    return AttentionName.is(name);
  }

  /**
   * Reads what {@link #name} writes, or {@code hla} alone.
   *
   * @throws UserError for an unknown name, listing all
   */
  static AttentionKind named(String name) {
    return AttentionName.read(name);
  }

  /** A short name, such as {@code hla:2x16}; in words it is {@link #toString}. */
  String name();

  /** Whether it knows no longest text: not where all tokens are remembered, or their positions are shares of a context. */
  boolean takesAnyLength();

  /** The kind of layers that may differ: a {@link ByLayer}, or the one kind of all. */
  static AttentionKind of(List<AttentionKind> layers) {
    return layers.stream().distinct().count() == 1 ? layers.getFirst() : new ByLayer(layers);
  }

  /** The softmax of inner products, as in every transformer. */
  record Softmax() implements AttentionKind {
    @Override
    public boolean takesAnyLength() {
      return false;
    }

    @Override
    public String name() {
      return "softmax";
    }

    @Override
    public String toString() {
      return name();
    }
  }

  /**
   * Hadamard linear attention (arXiv 2602.12128): weights that are the product of a few kernel similarities.
   *
   * @param factors similarities that are multiplied, 1 to {@link #MOST_FACTORS}
   * @param rank features of each; of Taylor and affine maps, the channels that features are made of
   * @param map how each makes features of queries and keys; softplus where a file does not say
   * @param tie what the factors share; nothing where a file does not say
   * @param normalizer what the weighted sum is divided by; the sum of the weights where a file does not say
   * @param rope where positions enter; before the map where a file does not say
   */
  record Hadamard(int factors, int rank, Map map, Tie tie, Normalizer normalizer, Rope rope) implements AttentionKind {
    /** The most factors. */
    public static final int MOST_FACTORS = 3;

    public Hadamard {
      map = map == null ? Map.SOFTPLUS : map;
      tie = tie == null ? Tie.NONE : tie;
      normalizer = normalizer == null ? Normalizer.SUM : normalizer;
      rope = rope == null ? Rope.BEFORE : rope;
      if (factors < 1 || factors > MOST_FACTORS) {
        throw new UserError("Hadamard linear attention of " + factors + " factors is unknown; use 1 to " + MOST_FACTORS);
      }
      if (rank < 1) throw new UserError("the rank of Hadamard linear attention is " + rank + "; it must be positive");
    }

    /** Untied factors of softplus features, of rotated queries and keys. */
    public Hadamard(int factors, int rank) {
      this(factors, rank, Map.SOFTPLUS, Tie.NONE, Normalizer.SUM, Rope.BEFORE);
    }

    public Hadamard with(Map map) {
      return new Hadamard(factors, rank, map, tie, normalizer, rope);
    }

    public Hadamard with(Tie tie) {
      return new Hadamard(factors, rank, map, tie, normalizer, rope);
    }

    public Hadamard with(Normalizer normalizer) {
      return new Hadamard(factors, rank, map, tie, normalizer, rope);
    }

    public Hadamard with(Rope rope) {
      return new Hadamard(factors, rank, map, tie, normalizer, rope);
    }

    @Override
    public boolean takesAnyLength() {
      return true;
    }

    @Override
    public String name() {
      return AttentionName.of(this);
    }

    @Override
    public String toString() {
      return "hla of " + factors + (factors == 1 ? " factor" : " factors") + " of rank " + rank + " (" + map
          + (tie == Tie.NONE ? "" : ", tied " + tie) + (normalizer == Normalizer.SUM ? "" : ", normalised by " + normalizer)
          + (rope == Rope.BEFORE ? "" : ", RoPE " + rope) + ")";
    }
  }

  /** Control: linear attention with elu(x) + 1 (arXiv 2006.16236). */
  record Katharopoulos() implements AttentionKind {
    @Override
    public boolean takesAnyLength() {
      return true;
    }

    @Override
    public String name() {
      return "katharopoulos";
    }

    @Override
    public String toString() {
      return name();
    }
  }

  /** Control: cosFormer, which weighs by position itself and takes no RoPE (arXiv 2202.08791). */
  record CosFormer() implements AttentionKind {
    @Override
    public boolean takesAnyLength() {
      return false;
    }

    @Override
    public String name() {
      return "cosformer";
    }

    @Override
    public String toString() {
      return name();
    }
  }

  /** Control: Based's second-order Taylor features of 16 channels, without its windows (arXiv 2402.18668). */
  record Based() implements AttentionKind {
    @Override
    public boolean takesAnyLength() {
      return true;
    }

    @Override
    public String name() {
      return "based";
    }

    @Override
    public String toString() {
      return name();
    }
  }

  /**
   * Layers of different kinds.
   *
   * @param layers the kind of each, first to last, not all the same and none by layer itself
   */
  record ByLayer(List<AttentionKind> layers) implements AttentionKind {
    public ByLayer {
      if (layers == null || layers.stream().distinct().count() < 2) {
        throw new UserError("attention by layer names " + (layers == null ? "no layers" : "one kind alone")
            + "; give the kind of every layer, or that kind in its place");
      }
      if (layers.stream().anyMatch(kind -> kind instanceof ByLayer)) {
        throw new UserError("attention by layer has a layer that is itself by layer; give the kind of that layer");
      }
      layers = List.copyOf(layers);
    }

    @Override
    public boolean takesAnyLength() {
      return layers.stream().allMatch(AttentionKind::takesAnyLength);
    }

    @Override
    public String name() {
      return AttentionName.of(this);
    }

    @Override
    public String toString() {
      return AttentionName.inWords(this);
    }
  }

  /** How a factor makes features. */
  enum Map {
    /** softplus of a learned projection. */
    SOFTPLUS,
    /** exp of one. */
    EXP,
    /** ReLU of one, and a small floor. */
    RELU,
    /** softplus of two learned layers. */
    PERCEPTRON,
    /** The Taylor series of exp to second order. */
    TAYLOR,
    /** One, and a learned projection: signed. */
    AFFINE;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** On which sides all factors share their features, so that the state is symmetric and kept packed. */
  enum Tie {
    NONE, QUERIES, KEYS, BOTH;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** What a row's weighted sum is divided by. */
  enum Normalizer {
    /** The sum of its weights. */
    SUM,
    /** The root of its own mean square. */
    RMS;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Where RoPE acts. */
  enum Rope {
    /** On queries and keys. */
    BEFORE,
    /** On features, in the numerator alone. */
    AFTER,
    /** Nowhere: tokens know no positions but that they come later. */
    NONE;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }
}
