package dev.walsh.report;

import dev.walsh.report.Series.Fit;
import dev.walsh.report.Series.Point;
import dev.walsh.report.Series.Spread;
import java.util.List;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/** A page like those that a comparison writes, from made-up curves of three arms: every kind of block, at realistic sizes. */
final class Demo {
  static final List<Arm> ARMS = List.of(new Arm("dense", 1.312, 3.40, 0.292, 14_210, 3_281_920, 21_400_000, 118_500_000),
      new Arm("hadamard", 1.321, 3.52, 0.290, 15_070, 3_021_824, 19_300_000, 112_900_000),
      new Arm("identity", 1.402, 3.33, 0.281, 15_940, 3_021_824, 19_270_000, 111_100_000));
  private static final int EVALUATIONS = 60;
  private static final double TOKENS = 4.2e6;

  private Demo() {}

  /** One arm's loss = best + size · (tokens/1000)^-exponent, its speed and its sizes. */
  record Arm(String name, double best, double size, double exponent, double tokensPerSecond, double parameters, double flops,
      double bytes) {
    double loss(double tokens) {
      return best * 0.72 + size * Math.pow(tokens / 1000 + 1, -exponent)
          + 0.006 * new Random((long) tokens + name.hashCode()).nextGaussian();
    }

    Series curve(ToDoubleFunction<Double> x) {
      return Series.of(name, IntStream.rangeClosed(1, EVALUATIONS).mapToObj(i -> TOKENS * i / EVALUATIONS)
          .map(tokens -> new Point(x.applyAsDouble(tokens), loss(tokens))).toList());
    }

    /** The curve over compute, with the least-squares line through the logarithms of its points. */
    Series withFit() {
      var curve = curve(tokens -> tokens * flops);
      double meanX = curve.points().stream().mapToDouble(p -> Math.log(p.x())).average().orElseThrow();
      double meanY = curve.points().stream().mapToDouble(p -> Math.log(p.y())).average().orElseThrow();
      double exponent = curve.points().stream().mapToDouble(p -> (Math.log(p.x()) - meanX) * (Math.log(p.y()) - meanY)).sum()
          / curve.points().stream().mapToDouble(p -> Math.pow(Math.log(p.x()) - meanX, 2)).sum();
      return curve.fit(Fit.powerLaw(Math.exp(meanY - exponent * meanX), exponent,
          new Axis.Range(curve.points().getFirst().x(), curve.points().getLast().x()),
          new Span("exponent " + Span.difference(exponent, 3).text(), exponent)));
    }

    Series withSeeds() {
      var middle = curve(tokens -> tokens);
      var seeds = middle;
      for (int seed = 0; seed < 3; seed++) {
        var random = new Random(seed);
        seeds = seeds.faint(middle.points().stream().map(p -> new Point(p.x(), p.y() + 0.03 * random.nextGaussian())).toList());
      }
      return seeds.band(middle.points().stream().map(p -> new Spread(p.x(), p.y() - 0.04, p.y() + 0.04)).toList());
    }
  }

  static Plot byTokens() {
    return Plot
        .of("By data", Axis.linear("training tokens", "", Format.COUNT), loss(), ARMS.stream().map(arm -> arm.curve(t -> t)).toList())
        .caption("Validation loss on the held-out documents, every 70k tokens.");
  }

  static Plot byFlops() {
    return Plot
        .of("By compute", Axis.log("training compute", "FLOPs", Format.COUNT), Axis.log("validation loss", "nats/byte", Format.PLAIN),
            ARMS.stream().map(Arm::withFit).toList())
        .caption("Both axes logarithmic; the dashed lines are fitted power laws.");
  }

  static Plot bySeconds() {
    return Plot.of("By time", Axis.linear("training time", "", Format.SECONDS), loss(),
        ARMS.stream().map(arm -> arm.curve(tokens -> tokens / arm.tokensPerSecond())).toList());
  }

  static Plot bySeeds() {
    return Plot.of("Three seeds", Axis.linear("training tokens", "", Format.COUNT), loss(), ARMS.stream().map(Arm::withSeeds).toList());
  }

  private static Axis loss() {
    return Axis.linear("validation loss", "nats/byte", Format.PLAIN).within(1.2, 2.4);
  }

  static Table summary() {
    var table = Table.of("After 4.2M tokens; small figures are against dense", Column.text("arm"), Column.number("parameters"),
        Column.number("attention parameters"), Column.number("FLOPs", "a token"), Column.number("peak memory"),
        Column.number("speed", "tokens/s"),
        Column.number("train loss", "nats/byte"), Column.number("validation loss", "nats/byte"), Column.number("validation", "bits/byte"));
    var dense = ARMS.getFirst();
    for (var arm : ARMS) {
      double loss = arm.loss(TOKENS);
      table = table.row(Cell.of(arm.name()), against(Cell.of(arm.parameters(), Format.COUNT), arm.parameters(), dense.parameters(), arm),
          against(Cell.of(arm.parameters() - 2_233_344, Format.COUNT), arm.parameters() - 2_233_344, dense.parameters() - 2_233_344, arm),
          against(Cell.of(arm.flops(), Format.COUNT), arm.flops(), dense.flops(), arm),
          against(Cell.of(arm.bytes(), Format.BYTES), arm.bytes(), dense.bytes(), arm),
          against(Cell.of(arm.tokensPerSecond(), Format.COUNT), arm.tokensPerSecond(), dense.tokensPerSecond(), arm),
          Cell.of(loss - 0.021, Format.PLAIN), arm == dense
              ? Cell.of(loss, Format.PLAIN).strong()
              : Cell.of(loss, Format.PLAIN).note(Span.difference(loss - dense.loss(TOKENS), 4)),
          Cell.of(loss / Math.log(2), Format.PLAIN));
    }
    return table;
  }

  private static Cell against(Cell cell, double value, double dense, Arm arm) {
    return arm == ARMS.getFirst() ? cell : cell.note(Span.percent(value / dense - 1));
  }

  static HeatMap speeds() {
    return new HeatMap("Prefill: Hadamard against dense", "Paired medians & their cells.", "batch", List.of("8", "16", "1024"), "length",
        List.of("32", "64"), List.of(List.of(0.93, 0.95), List.of(1.0, 1.0625), List.of(1.07, Double.NaN)));
  }

  static HtmlReport report() {
    double gap = ARMS.get(1).loss(TOKENS) - ARMS.get(0).loss(TOKENS);
    var page = HtmlReport.titled("Dense against Hadamard: nano on the JDK’s sources").fact("date", "2026-03-14 09:26")
        .fact("device", "CPU, 2 cores")
        .fact("commit", "0137d54").fact("command", "./walsh compare --minutes 5 --seeds 1")
        .verdict(
            Text.of("Hadamard ends ").then(new Span(Format.PLAIN.text(gap), gap)).then(" nats a byte above dense with ")
                .then(new Span("7.9%", -0.0793))
                .then(" fewer parameters, at ").then(new Span("1.06", 1.0605))
                .then(" times its speed: no difference in loss that one seed can show."));
    page.section("Summary", summary());
    page.section("Loss on held-out text", Columns.of(byTokens(), byFlops(), bySeconds()));
    page.section("Seeds", Columns.of(bySeeds(), byTokens()));
    page.section("Speed by batch and length", Columns.of(speeds()));
    page.section("What each arm writes", Text.of("Each continues the same prompt at temperature 0.8, seed 1."),
        new Columns(ARMS.stream().<Block>map(arm -> new Sample(arm.name(), """
            public static <T> List<T> of(T... elements) {
              if (elements == null && size > 0) {
                throw new NullPointerException("elements");
              }
              \0\u001b[31m return new ArrayList<>(elements.length);
            }

              /** Returns the %s of this stream & its "tail". */
            """.formatted(arm.name()))).toList()));
    page.section("Configuration", new Details("nano, dense", "{\n  \"layers\" : 4,\n  \"width\" : 256,\n  \"heads\" : 4\n}"),
        new Details("nano, hadamard", "{\n  \"layers\" : 4,\n  \"projection\" : \"hadamard\"\n}"));
    return page
        .footnote(
            Text.of("Noise: over five seeds the paired difference of two arms spreads by ").then(new Span("0.011", 0.0108))
                .then(" nats a byte."))
        .footnote(Text.of("Memory is the sum of the tensors alive at the peak, not the size of the process."));
  }
}
