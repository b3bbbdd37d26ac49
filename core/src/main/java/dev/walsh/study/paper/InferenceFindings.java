package dev.walsh.study.paper;

import dev.walsh.generate.InferenceBenchmark.Kind;
import dev.walsh.report.Format;
import dev.walsh.report.Span;
import dev.walsh.report.Text;
import dev.walsh.study.paper.InferenceGrid.Shape;
import dev.walsh.study.paper.Measured.Pair;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/** What of Table 3 and Figures 5 to 8 our measurements repeat and what they do not: sentences that follow from the numbers by fixed rules. */
final class InferenceFindings {
  private final Published published;
  private final InferenceGrid grid;
  private final Measured measured;

  InferenceFindings(Published published, InferenceGrid grid, Measured measured) {
    this.published = published;
    this.grid = grid;
    this.measured = measured;
  }

  private static Span ratio(double value) {
    return Span.of(value, Format.PLAIN);
  }

  private static double median(List<Pair> pairs, ToDoubleFunction<Pair> figure) {
    var sorted = pairs.stream().mapToDouble(figure).sorted().toArray();
    return (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
  }

  /** The origin of the figures, how many cells have one, and who is faster how often. */
  private Text tally(Kind kind, List<Pair> pairs, long cells) {
    var text = Text.of(measured.origin(kind));
    if (measured.results().stream().noneMatch(result -> result.bench() == kind)) return text;
    if (pairs.size() < cells) {
      text = text.then(cells - pairs.size() + " of " + cells + " cells were not measured and stay empty. ");
    }
    if (pairs.isEmpty()) return text;
    long faster = pairs.stream().filter(pair -> pair.sign() > 0).count();
    long slower = pairs.stream().filter(pair -> pair.sign() < 0).count();
    long told = pairs.stream().filter(Pair::hasInterval).count();
    text = text.then("Of " + pairs.size() + " measured, Hadamard is faster in " + faster + " and slower in " + slower + "; in "
        + (told - faster - slower) + " the 95% interval holds 1");
    if (told < pairs.size()) text = text.then(", and " + (pairs.size() - told) + " had too few rounds for one");
    return text.then(". The speed-up has a median of ").then(ratio(median(pairs, Pair::speedup)))
        .then(" and lies between ").then(ratio(pairs.stream().mapToDouble(Pair::speedup).min().orElseThrow())).then(
            " and ")
        .then(ratio(pairs.stream().mapToDouble(Pair::speedup).max().orElseThrow())).then("; the floors alone would give ")
        .then(ratio(median(pairs, pair -> pair.hadamard().floor_speedup()))).then(" at the median. ");
  }

  private Map<String, Pair> bySize() {
    var pairs = new LinkedHashMap<String, Pair>();
    for (var model : grid.models().keySet()) {
      var pair = measured.find(Kind.DECODE, model, grid.decode());
      if (pair != null) pairs.put(model, pair);
    }
    return pairs;
  }

  Text table3() {
    var pairs = bySize();
    var text = tally(Kind.DECODE, List.copyOf(pairs.values()), grid.models().size());
    int repeated = 0;
    int opposed = 0;
    int both = 0;
    for (var entry : pairs.entrySet()) {
      var paper = published.decoding().get(entry.getKey());
      if (paper == null) continue;
      both++;
      int sign = entry.getValue().sign() * (paper.speedup() > 1 ? 1 : -1);
      if (sign > 0) repeated++;
      if (sign < 0) opposed++;
    }
    if (both > 0) {
      text = text.then("Who is faster is repeated for " + repeated + " of " + both + " sizes and contradicted for " + opposed + ". ");
      double ours = pairs.values().stream().mapToDouble(InferenceFindings::memory).min().orElseThrow() - 1;
      double paper = published.decoding().values().stream().mapToDouble(Published.Decoding::memory).min().orElseThrow() - 1;
      text = text.then("Peak memory changes by ").then(Span.percent(ours)).then(" at the most, in the paper by ").then(Span.percent(paper))
          .then(". ");
    }
    return text.then("The paper's latencies are of 16 tokens for each sequence, going by its own tokens a second; a step here is of one.");
  }

  /** Hadamard's peak memory as a share of dense's. */
  static double memory(Pair pair) {
    return pair.hadamard().peakBytes() / pair.dense().peakBytes();
  }

  Text figure5() {
    var pairs = grid.models().keySet().stream().flatMap(model -> grid.prefillLengths().stream().map(length -> measured.find(Kind.PREFILL,
        model, new Shape(grid.prefillBatch(), length)))).filter(Objects::nonNull).toList();
    return tally(Kind.PREFILL, pairs, (long) grid.models().size() * grid.prefillLengths().size()).then(
        "The paper shows curves alone; its claim is that Hadamard is faster throughout").then(
            pairs.isEmpty()
                ? "."
                : pairs.stream().allMatch(pair -> pair.sign() > 0)
                    ? ", which these cells repeat."
                    : pairs.stream().noneMatch(pair -> pair.sign() > 0)
                        ? ", which no cell here repeats."
                        : ", which some cells here repeat.");
  }

  Text figure6() {
    var cells = grid.mapBatches().stream().flatMap(batch -> grid.mapLengths().stream().map(length -> new Shape(batch, length))).filter(
        grid::inMap).toList();
    var pairs = cells.stream().map(cell -> measured.find(Kind.PREFILL, grid.model(), cell)).filter(Objects::nonNull).toList();
    var flat = published.prefill().flat();
    var text = tally(Kind.PREFILL, pairs, cells.size()).then("In the paper Hadamard is ").then(ratio(flat.getFirst())).then(" to ").then(
        ratio(flat.getLast())).then(" times as fast but for " + published.prefill().outliers().size() + " cells in which it is slower");
    if (pairs.isEmpty()) return text.then(".");
    long reached = pairs.stream().filter(pair -> pair.highest() >= flat.getFirst()).count();
    text = text.then("; here " + reached + " of " + pairs.size() + " reach that range");
    for (var outlier : published.prefill().outliers()) {
      var pair = measured.find(Kind.PREFILL, grid.model(), new Shape(outlier.batch(), outlier.length()));
      if (pair == null) continue;
      text = text.then("; at " + outlier.batch() + " × " + outlier.length() + " the paper has ").then(ratio(outlier.speedup())).then(
          " and we ").then(ratio(pair.speedup()));
    }
    return text.then(".");
  }

  Text figure7() {
    var pairs = grid.stepBatches().stream().map(batch -> measured.find(Kind.DECODE, grid.model(), new Shape(batch, grid.stepLength())))
        .filter(Objects::nonNull).toList();
    var text = tally(Kind.DECODE, pairs, grid.stepBatches().size()).then("In the paper dense is faster until Hadamard passes it between "
        + "batch " + published.crossing().getFirst() + " and " + published.crossing().getLast());
    if (pairs.isEmpty()) return text.then(".");
    var slower = pairs.stream().filter(pair -> pair.sign() < 0).toList();
    return text.then(slower.isEmpty()
        ? "; here no interval shows it slower."
        : "; here it is slower at batch " + slower.stream().map(pair -> Integer.toString(pair.dense().batch())).collect(
            Collectors.joining(", ")) + ".");
  }

  Text figure8() {
    var pairs = List.copyOf(bySize().values());
    var text = tally(Kind.DECODE, pairs, grid.models().size()).then("In the paper the gain grows with the model");
    if (pairs.size() < 2) return text.then(".");
    var small = pairs.getFirst().hadamard();
    var large = pairs.getLast().hadamard();
    return text.then(", and here it goes from ").then(ratio(small.speedup())).then(" to ").then(ratio(large.speedup())).then(
        large.speedup_low() > small.speedup_high()
            ? ": repeated."
            : large.speedup_high() < small.speedup_low() ? ": the opposite." : ": the intervals do not tell.");
  }
}
