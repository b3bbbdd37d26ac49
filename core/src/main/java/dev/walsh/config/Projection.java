package dev.walsh.config;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.math.BigDecimal;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What stands between the concatenated heads and the residual stream: a map of width to width, then an optional elementwise affine
 * {@code alpha ⊙ (…) + beta}.
 *
 * @param mix the d×d map
 * @param alpha whether a learned gain a channel follows
 * @param beta whether a learned offset a channel follows
 * @param size the number of blocks of {@link Mix#BLOCK_DIAGONAL}, the rank of {@link Mix#LOW_RANK}; null for {@link #sizeAt}'s default and
 *     for all other maps
 * @param alphaStart what alpha is before training; null for the gain that a learned matrix would begin with
 */
public record Projection(Mix mix, boolean alpha, boolean beta, @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Integer size,
    @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Double alphaStart) {
  /** The d×d maps. */
  public enum Mix {
    /** A learned matrix, as in every transformer. */
    DENSE,
    /** The fixed orthonormal Walsh–Hadamard matrix (arXiv 2603.08343). */
    HADAMARD,
    /**
     * The same function in other parameters: what of the matrix acts inside a head is part of the value projection, and a mix over heads is
     * left. The optimizer's path differs, so it is an arm of its own.
     */
    HADAMARD_FOLDED,
    /** Nothing: the control that shows what the transform itself does. */
    IDENTITY,
    /** Fixed random signs, then the Walsh–Hadamard matrix. */
    SIGNED_HADAMARD,
    /** A fixed orthogonal matrix drawn from Haar's measure: the control that shows what is special to the Walsh–Hadamard matrix. */
    RANDOM_ORTHOGONAL,
    /**
     * Zeros up to the next power of two, Sylvester's matrix of that order, and what is too long cut off, as the package
     * fast-hadamard-transform does. At powers of two it is the Walsh–Hadamard matrix itself, elsewhere it is not orthogonal.
     */
    PADDED_HADAMARD,
    /** A learned matrix a group of neighbouring heads, and none between groups. */
    BLOCK_DIAGONAL,
    /** A learned matrix of width to rank, then one of rank to width. */
    LOW_RANK;

    /** Whether the map is the Walsh–Hadamard matrix, in whatever parameters. */
    public boolean isHadamard() {
      return this == HADAMARD || this == HADAMARD_FOLDED || this == SIGNED_HADAMARD;
    }

    /** Whether the map has weights of its own; alpha and beta then do not follow unless asked for. */
    public boolean isLearned() {
      return this == DENSE || this == BLOCK_DIAGONAL || this == LOW_RANK;
    }

    private boolean hasSize() {
      return this == BLOCK_DIAGONAL || this == LOW_RANK;
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  /** How the names are made, for the end of a sentence that lists them. */
  public static final String DEVIATIONS = "a fixed map also without its affine, as hadamard-alpha, hadamard-beta or hadamard-alpha-beta, "
      + "or with another initial gain, as hadamard@alpha=1, and with a number block-diagonal:BLOCKS and low-rank:RANK";

  /** Both learned maps of fewer parameters have a quarter of the dense matrix's by default. */
  private static final int BLOCKS = 4;
  private static final int WIDTH_OVER_RANK = 8;
  private static final Pattern NAME = Pattern.compile("(" + String.join("|", names())
      + ")(?::(\\d{1,9}))?([+-]alpha)?([+-]beta)?(?:@alpha=(\\d+(?:\\.\\d+)?))?");

  public Projection {
    if (size != null && !mix.hasSize()) throw new UserError("the projection " + mix + " takes no size; leave out " + size);
    if (size != null && size < 1) throw new UserError("the projection's size in " + mix + ":" + size + " must be positive");
    if (alphaStart != null && !alpha) {
      throw new UserError("the projection " + mix + " has no alpha that could start at " + number(alphaStart) + "; leave the start out");
    }
    if (alphaStart != null && !(alphaStart > 0 && alphaStart < Double.POSITIVE_INFINITY)) {
      throw new UserError("alpha of the projection " + mix + " starts at " + alphaStart + "; it must be positive");
    }
  }

  /** A map of the default size whose alpha, if it has one, starts where a learned matrix would. */
  public Projection(Mix mix, boolean alpha, boolean beta) {
    this(mix, alpha, beta, null, null);
  }

  /** With another map of the default size and the same affine. */
  public Projection with(Mix mix) {
    return new Projection(mix, alpha, beta, null, alphaStart);
  }

  /**
   * The number of blocks, or the rank, in a model of a width.
   *
   * @throws IllegalStateException for maps that have neither
   */
  public int sizeAt(int width) {
    if (!mix.hasSize()) throw new IllegalStateException(mix + " has no size");
    if (size != null) return size;
    return mix == Mix.BLOCK_DIAGONAL ? BLOCKS : Math.max(1, width / WIDTH_OVER_RANK);
  }

  /** Whether {@link #named} knows the name. */
  public static boolean isName(String name) {
    return NAME.matcher(name).matches();
  }

  /**
   * Reads what {@link #toString} writes: the name of a map, its size, deviations from the usual affine, and where alpha starts. Learned maps
   * usually stand alone, fixed ones are followed by alpha and beta.
   */
  public static Projection named(String name) {
    var parts = NAME.matcher(name);
    if (!parts.matches()) {
      throw new UserError("the projection '" + name + "' is unknown; use one of " + String.join(", ", names()) + "; " + DEVIATIONS);
    }
    var mix = Arrays.stream(Mix.values()).filter(m -> m.toString().equals(parts.group(1))).findFirst().orElseThrow();
    var size = parts.group(2);
    var start = parts.group(5);
    var read = new Projection(mix, flag(parts.group(3), mix), flag(parts.group(4), mix), size == null ? null : Integer.valueOf(size),
        start == null ? null : Double.valueOf(start));
    if (!read.toString().equals(name)) throw new UserError("the projection '" + name + "' is spelled " + read + "; use that name");
    return read;
  }

  private static boolean flag(@Nullable String sign, Mix mix) {
    return sign == null ? !mix.isLearned() : sign.startsWith("+");
  }

  /** The names of the maps, each of which is the name of a projection. */
  public static List<String> names() {
    return Arrays.stream(Mix.values()).map(Mix::toString).toList();
  }

  /** The name that {@link #named} reads. */
  @Override
  public String toString() {
    return mix + (size == null ? "" : ":" + size) + deviation("alpha", alpha) + deviation("beta", beta)
        + (alphaStart == null ? "" : "@alpha=" + number(alphaStart));
  }

  private String deviation(String name, boolean present) {
    return present != mix.isLearned() ? "" : (present ? "+" : "-") + name;
  }

  private static String number(double value) {
    return BigDecimal.valueOf(value).stripTrailingZeros().toPlainString();
  }
}
