package dev.walsh.config;

import dev.walsh.config.AttentionKind.ByLayer;
import dev.walsh.config.AttentionKind.Hadamard;
import dev.walsh.config.AttentionKind.Map;
import dev.walsh.config.AttentionKind.Normalizer;
import dev.walsh.config.AttentionKind.Rope;
import dev.walsh.config.AttentionKind.Tie;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The short names of kinds of attention: factors and rank of Hadamard linear attention, and of its choices those that are not the usual ones. */
final class AttentionName {
  /** The names without anything behind them. */
  static final List<String> NAMES = List.of("softmax", "hla", "katharopoulos", "cosformer", "based");
  /** How they are varied, for the end of a sentence that lists them. */
  static final String VARIATIONS = "hla:FxR has F factors of rank R and is hla:2x16 by default, varied as hla:2x16@map=exp, @tie=keys, "
      + "@normalizer=rms or @rope=after, in this order; layers that differ are named by number, as hla*6/softmax*2";

  private static final Hadamard USUAL = new Hadamard(2, 16);
  private static final Pattern HLA = Pattern.compile("hla(?::(\\d{1,6})x(\\d{1,6}))?" + choice("map", Map.values())
      + choice("tie", Tie.values()) + choice("normalizer", Normalizer.values()) + choice("rope", Rope.values()));

  private static final Pattern BY_LAYER = Pattern.compile("[^/*]+\\*[1-9]\\d{0,3}(?:/[^/*]+\\*[1-9]\\d{0,3})*");

  private AttentionName() {}

  private static String choice(String name, Enum<?>[] values) {
    var names = Arrays.stream(values).map(Enum::toString).collect(Collectors.joining("|"));
    return "(?:@" + name + "=(?<" + name + ">" + names + "))?";
  }

  static boolean is(String name) {
    return NAMES.contains(name) || HLA.matcher(name).matches()
        || BY_LAYER.matcher(name).matches() && runs(name).allMatch(run -> is(run.kind));
  }

  /** Neighbouring layers of one kind. */
  private record Run(String kind, int layers) {}

  private static Stream<Run> runs(String name) {
    return Arrays.stream(name.split("/")).map(run -> {
      int star = run.indexOf('*');
      return new Run(run.substring(0, star), Integer.parseInt(run.substring(star + 1)));
    });
  }

  static AttentionKind read(String name) {
    if (is(name) && BY_LAYER.matcher(name).matches()) {
      return AttentionKind.of(runs(name).flatMap(run -> Collections.nCopies(run.layers, read(run.kind)).stream()).toList());
    }
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

  static String of(ByLayer kind) {
    return runs(kind).map(run -> run.kind + "*" + run.layers).collect(Collectors.joining("/"));
  }

  /** Such as {@code hla:2x16 in layers 0 to 2, softmax in layer 3}. */
  static String inWords(ByLayer kind) {
    var words = new ArrayList<String>();
    int first = 0;
    for (var run : runs(kind).toList()) {
      int last = first + run.layers - 1;
      words.add(run.kind + (first == last ? " in layer " + first : " in layers " + first + " to " + last));
      first = last + 1;
    }
    return String.join(", ", words);
  }

  private static Stream<Run> runs(ByLayer kind) {
    var runs = new ArrayList<Run>();
    for (var layer : kind.layers()) {
      boolean goesOn = !runs.isEmpty() && runs.getLast().kind.equals(layer.name());
      int before = goesOn ? runs.removeLast().layers : 0;
      runs.add(new Run(layer.name(), before + 1));
    }
    return runs.stream();
  }

  private static String deviation(String name, Enum<?> value, Enum<?> usual) {
    return value == usual ? "" : "@" + name + "=" + value;
  }
}
