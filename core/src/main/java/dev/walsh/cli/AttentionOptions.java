package dev.walsh.cli;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.AttentionKind.Hadamard;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.UserError;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that say by what tokens weigh one another. */
final class AttentionOptions {
  private static final String HLA = "hla";
  private static final int FACTORS = 2;
  private static final int RANK = 16;

  @Option(names = "--attention", paramLabel = "NAME", description = "softmax, hla (Hadamard linear attention), or its controls katharopoulos, cosformer, based; as the model says by default. A name such as hla:2x16 says factors and rank too.")
  private @Nullable String attention;

  @Option(names = "--factors", paramLabel = "F", description = "Of hla: how many similarities are multiplied, 1 to 3; 2 by default.")
  private @Nullable Integer factors;

  @Option(names = "--rank", paramLabel = "R", description = "Of hla: the features of each factor, or the channels that taylor and affine make them of; 16 by default.")
  private @Nullable Integer rank;

  @Option(names = "--map", paramLabel = "NAME", description = "Of hla: what features are, softplus (the default), exp, relu, perceptron, taylor or affine.")
  private @Nullable String map;

  @Option(names = "--tie", paramLabel = "SIDE", description = "Of hla: on which side the factors share their features, none (the default), queries, keys or both.")
  private @Nullable String tie;

  @Option(names = "--normalizer", paramLabel = "sum|rms", description = "Of hla: what sums are divided by, the sum of the weights (the default) or their own root mean square.")
  private @Nullable String normalizer;

  @Option(names = "--rope", paramLabel = "WHERE", description = "Of hla: where positions enter, before (the default) or after the feature map, or none.")
  private @Nullable String rope;

  /** Whether any of these was given. */
  boolean anyGiven() {
    return attention != null || ofHla() != null;
  }

  /** The first option given that is hla's alone. */
  private @Nullable String ofHla() {
    if (factors != null) return "--factors";
    if (rank != null) return "--rank";
    if (map != null) return "--map";
    if (tie != null) return "--tie";
    if (normalizer != null) return "--normalizer";
    return rope == null ? null : "--rope";
  }

  /** The model with the attention that was asked for. */
  ModelConfig apply(ModelConfig model) {
    checkOptions();
    return attention == null ? model : model.with(kind(attention));
  }

  /** The linear attention that was asked for, Hadamard's where none was. */
  AttentionKind linear() {
    if (attention == null) return hadamard();
    checkOptions();
    var kind = kind(attention);
    if (kind instanceof AttentionKind.Softmax || kind instanceof AttentionKind.ByLayer) {
      throw new UserError("--attention " + attention + " is no linear attention; use hla, katharopoulos, cosformer or based");
    }
    return kind;
  }

  private void checkOptions() {
    var hla = ofHla();
    if (hla != null && !HLA.equals(attention)) {
      throw new UserError(hla + " is an option of Hadamard linear attention; add --attention hla or leave " + hla + " out");
    }
  }

  private AttentionKind kind(String name) {
    return HLA.equals(name) ? hadamard() : AttentionKind.named(name);
  }

  private Hadamard hadamard() {
    return new Hadamard(factors == null ? FACTORS : factors, rank == null ? RANK : rank,
        choice("--map", map, AttentionKind.Map.SOFTPLUS), choice("--tie", tie, AttentionKind.Tie.NONE),
        choice("--normalizer", normalizer, AttentionKind.Normalizer.SUM), choice("--rope", rope, AttentionKind.Rope.BEFORE));
  }

  private static <E extends Enum<E>> E choice(String option, @Nullable String given, E usual) {
    if (given == null) return usual;
    var all = usual.getDeclaringClass().getEnumConstants();
    return Arrays.stream(all).filter(each -> each.toString().equals(given)).findFirst().orElseThrow(() -> new UserError(String.format(
        Locale.ROOT, "%s %s is unknown; use one of %s", option, given,
        Arrays.stream(all).map(Enum::toString).collect(Collectors.joining(", ")))));
  }
}
