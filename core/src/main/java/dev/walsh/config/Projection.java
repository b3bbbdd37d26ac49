package dev.walsh.config;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * What stands between the concatenated heads and the residual stream: a map of width to width, then an optional elementwise affine
 * {@code alpha ⊙ (…) + beta}.
 *
 * @param mix the d×d map
 * @param alpha whether a learned gain a channel follows
 * @param beta whether a learned offset a channel follows
 */
public record Projection(Mix mix, boolean alpha, boolean beta) {
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
    IDENTITY;

    /** Whether the map is the Walsh–Hadamard matrix, in either form. */
    public boolean isHadamard() {
      return this == HADAMARD || this == HADAMARD_FOLDED;
    }

    /** Whether the map is trained. */
    public boolean isLearned() {
      return this == DENSE;
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  /** With another map and the same flags. */
  public Projection with(Mix mix) {
    return new Projection(mix, alpha, beta);
  }

  /** Reads a name of {@link #names()}: the learned matrix stands alone, the fixed maps are followed by alpha and beta. */
  public static Projection named(String name) {
    for (var mix : Mix.values()) {
      if (mix.toString().equals(name)) return new Projection(mix, mix != Mix.DENSE, mix != Mix.DENSE);
    }
    throw new UserError("the projection '" + name + "' is unknown; use one of " + names());
  }

  public static String names() {
    return Arrays.stream(Mix.values()).map(Mix::toString).collect(Collectors.joining(", "));
  }

  /** The name that {@link #named} reads; a deviation from the named flags is spelled out. */
  @Override
  public String toString() {
    var usual = mix != Mix.DENSE;
    return mix + (alpha == usual ? "" : alpha ? "+alpha" : "-alpha") + (beta == usual ? "" : beta ? "+beta" : "-beta");
  }
}
