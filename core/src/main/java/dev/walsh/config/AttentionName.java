package dev.walsh.config;

import dev.walsh.config.AttentionKind.Hadamard;
import dev.walsh.config.AttentionKind.Map;
import dev.walsh.config.AttentionKind.Normalizer;
import dev.walsh.config.AttentionKind.Rope;
import dev.walsh.config.AttentionKind.Tie;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The short names of kinds of attention: factors and rank of Hadamard linear attention, and of its choices those that are not the usual ones. */
final class AttentionName {
  /** The names without anything behind them. */
  static final List<String> NAMES = List.of("softmax", "hla", "katharopoulos", "cosformer", "based");
  /** How they are varied, for the end of a sentence that lists them. */
  static final String VARIATIONS = "hla:FxR has F factors of rank R and is hla:2x16 by default, varied as hla:2x16@map=exp, @tie=keys, "
      + "@normalizer=rms or @rope=after, in this order";

  private static final Hadamard USUAL = new Hadamard(2, 16);
  private static final Pattern HLA = Pattern.compile("hla(?::(\\d{1,6})x(\\d{1,6}))?" + choice("map", Map.values())
      + choice("tie", Tie.values()) + choice("normalizer", Normalizer.values()) + choice("rope", Rope.values()));

  private AttentionName() {}

  private static String choice(String name, Enum<?>[] values) {
    var names = Arrays.stream(values).map(Enum::toString).collect(Collectors.joining("|"));
    return "(?:@" + name + "=(?<" + name + ">" + names + "))?";
  }

  static boolean is(String name) {
    return NAMES.contains(name) || HLA.matcher(name).matches();
  }

  static AttentionKind read(String name) {
    return switch (name) {
      case "softmax" -> new AttentionKind.Softmax();
      case "katharopoulos" -> new AttentionKind.Katharopoulos();
      case "cosformer" -> new AttentionKind.CosFormer();
      case "based" -> new AttentionKind.Based();
      default -> hadamard(name);
    };
  }

  private static Hadamard hadamard(String name) {
    var parts = HLA.matcher(name);
    if (!parts.matches()) {
      throw new UserError("the attention '" + name + "' is unknown; use one of " + String.join(", ", NAMES) + "; " + VARIATIONS);
    }
    boolean sized = parts.group(1) != null;
    return new Hadamard(sized ? Integer.parseInt(parts.group(1)) : USUAL.factors(), sized ? Integer.parseInt(parts.group(2)) : USUAL.rank(),
        chosen(parts, "map", USUAL.map()), chosen(parts, "tie", USUAL.tie()), chosen(parts, "normalizer", USUAL.normalizer()),
        chosen(parts, "rope", USUAL.rope()));
  }

  private static <E extends Enum<E>> E chosen(Matcher parts, String name, E usual) {
    var given = parts.group(name);
    return given == null
        ? usual
        : Arrays.stream(usual.getDeclaringClass().getEnumConstants()).filter(e -> e.toString().equals(given)).findFirst().orElseThrow();
  }

  static String of(Hadamard kind) {
    return "hla:" + kind.factors() + "x" + kind.rank() + deviation("map", kind.map(), USUAL.map())
        + deviation("tie", kind.tie(), USUAL.tie()) + deviation("normalizer", kind.normalizer(), USUAL.normalizer())
        + deviation("rope", kind.rope(), USUAL.rope());
  }

  private static String deviation(String name, Enum<?> value, Enum<?> usual) {
    return value == usual ? "" : "@" + name + "=" + value;
  }
}
