package dev.walsh.study.paper;

import dev.walsh.config.ModelConfig;
import dev.walsh.generate.InferenceBenchmark.Kind;
import dev.walsh.generate.InferenceResult.Row;
import dev.walsh.model.Gpt;
import dev.walsh.report.Axis;
import dev.walsh.report.Block;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Columns;
import dev.walsh.report.Format;
import dev.walsh.report.HeatMap;
import dev.walsh.report.Plot;
import dev.walsh.report.Section;
import dev.walsh.report.Series;
import dev.walsh.report.Series.Point;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import dev.walsh.study.paper.InferenceGrid.Shape;
import dev.walsh.study.paper.Measured.Pair;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Table 3 and Figures 5 to 8 of the paper, prefill and decoding, beside what was measured; what was not stays empty. */
public final class Inference {
  private static final Axis PARAMETERS = Axis.log("parameters, dense", "", Format.COUNT);
  private static final Axis LATENCY = Axis.log("time", "ms", Format.PLAIN);
  private static final Axis THROUGHPUT = Axis.log("throughput", "tokens/s", Format.COUNT);

  private final Published published;
  private final InferenceGrid grid;
  private final Measured measured;
  private final InferenceFindings findings;

  public Inference(Published published, InferenceGrid grid, Measured measured) {
    this.published = published;
    this.grid = grid;
    this.measured = measured;
    findings = new InferenceFindings(published, grid, measured);
  }

  /** The columns of {@link #cells}. */
  private static List<Column> columns() {
    return List.of(Column.number("dense", "ms"), Column.number("Hadamard", "ms"), Column.number("dense", "tokens/s"),
        Column.number("Hadamard", "tokens/s"), Column.number("times faster"), Column.number("from"), Column.number("to"),
        Column.number("floors"));
  }

  private static Stream<Cell> cells(@Nullable Pair pair) {
    if (pair == null) return columns().stream().map(_ -> Cell.none());
    var dense = pair.dense();
    var hadamard = pair.hadamard();
    var ratio = Cell.of(hadamard.speedup(), Format.PLAIN);
    return Stream.of(plain(dense.p50_ms()), plain(hadamard.p50_ms()), Cell.of(dense.tokens_per_s(), Format.COUNT),
        Cell.of(hadamard.tokens_per_s(), Format.COUNT), pair.sign() == 0 ? ratio : ratio.strong(), plain(hadamard.speedup_low()),
        plain(hadamard.speedup_high()), plain(hadamard.floor_speedup()));
  }

  private static Cell plain(double value) {
    return Cell.of(value, Format.PLAIN);
  }

  private static Table table(String caption, List<Column> first, List<Column> last, List<List<Cell>> rows) {
    return new Table(caption, Stream.of(first, columns(), last).flatMap(List::stream).toList(), rows);
  }

  private static List<Cell> row(Stream<Cell> first, Stream<Cell> middle, Stream<Cell> last) {
    return Stream.of(first, middle, last).flatMap(cells -> cells).toList();
  }

  /** Table 3: speed and peak memory of decoding by size. */
  public Section table3() {
    var rows = new ArrayList<List<Cell>>();
    published.decoding().forEach((model, of) -> {
      double dense = of.tokensPerSecond().getFirst();
      double hadamard = of.tokensPerSecond().getLast();
      rows.add(row(Stream.of(Cell.of(model).strong(), Cell.of("paper")), Stream.of(plain(1024e3 / dense), plain(1024e3 / hadamard),
          Cell.of(dense, Format.COUNT), Cell.of(hadamard, Format.COUNT), plain(of.speedup()), Cell.none(), Cell.none(), Cell.none()),
          Stream.of(Cell.of(1e6 * of.megabytes().getFirst(), Format.BYTES), Cell.of(1e6 * of.megabytes().getLast(), Format.BYTES), plain(of
              .memory()))));
      if (grid.models().containsKey(model)) rows.add(ours(model));
    });
    grid.models().keySet().stream().filter(model -> !published.decoding().containsKey(model)).forEach(model -> rows.add(ours(model)));
    var table = table("A step of decoding, batch " + grid.decode().batch() + ", length " + grid.decode().length()
        + "; how many times faster Hadamard is, with the 95% interval", List.of(Column.text("model"), Column.text("from")),
        List.of(Column.number("peak",
            "dense"), Column.number("peak", "Hadamard"), Column.number("peak", "Hadamard/dense")),
        rows);
    return Section.of("Table 3", table, findings.table3());
  }

  private List<Cell> ours(String model) {
    var pair = measured.find(Kind.DECODE, model, grid.decode());
    return row(Stream.of(Cell.of(model).strong(), Cell.of("ours")), cells(pair), pair == null
        ? Stream.of(Cell.none(), Cell.none(), Cell.none())
        : Stream.of(Cell.of(pair.dense().peakBytes(), Format.BYTES), Cell.of(pair.hadamard().peakBytes(), Format.BYTES), plain(
            InferenceFindings.memory(pair))));
  }

  /** Figure 5: prefill by size, at three lengths. */
  public Section figure5() {
    var rows = new ArrayList<List<Cell>>();
    for (var model : grid.models().keySet()) {
      for (int length : grid.prefillLengths()) {
        rows.add(row(Stream.of(Cell.of(model).strong(), Cell.of(new Span(Integer.toString(length), (double) length))),
            cells(measured.find(Kind.PREFILL, model,
                new Shape(grid.prefillBatch(), length))),
            Stream.of()));
      }
    }
    var series = new ArrayList<Line>();
    for (int length : grid.prefillLengths()) {
      series.addAll(lines(", length " + length, bySize(Kind.PREFILL, new Shape(grid.prefillBatch(), length))));
    }
    return Section.of("Figure 5", table("Prefill, batch " + grid.prefillBatch(), List.of(Column.text("model"), Column.number("length")),
        List.of(), rows), plots("prefill by size", PARAMETERS, series), findings.figure5());
  }

  /** Figure 6: how many times faster Hadamard's prefill is, by batch and length. */
  public Section figure6() {
    var blocks = new ArrayList<Block>();
    blocks.add(map("Prefill of " + grid.model() + ", ours", "Dense's time over Hadamard's, paired medians.", cell -> {
      var pair = measured.find(Kind.PREFILL, grid.model(), cell);
      return pair == null ? Double.NaN : pair.speedup();
    }));
    var outliers = published.prefill().outliers();
    if (grid.mapBatches().containsAll(outliers.stream().map(Published.Prefill.Outlier::batch).toList())) {
      var flat = published.prefill().flat();
      blocks.add(map("Prefill of " + grid.model() + ", the paper", "The cells that the paper has outside of " + flat.getFirst() + " to "
          + flat.getLast() + "; its others lie within.",
          cell -> outliers.stream().filter(of -> of.batch() == cell.batch()
              && of.length() == cell.length()).mapToDouble(Published.Prefill.Outlier::speedup).findFirst().orElse(Double.NaN)));
    }
    return Section.of("Figure 6", new Columns(blocks), findings.figure6());
  }

  private HeatMap map(String title, String caption, ToDoubleFunction<Shape> value) {
    return new HeatMap(title, caption, "batch", grid.mapBatches().stream().map(batch -> Integer.toString(batch)).toList(), "length",
        grid.mapLengths().stream().map(length -> Integer.toString(length)).toList(), grid.mapBatches().stream().map(batch -> grid
            .mapLengths().stream().map(length -> value.applyAsDouble(new Shape(batch, length))).toList()).toList());
  }

  /** Figure 7: decoding by batch. */
  public Section figure7() {
    var rows = new ArrayList<List<Cell>>();
    var points = new ArrayList<At>();
    for (int batch : grid.stepBatches()) {
      var pair = measured.find(Kind.DECODE, grid.model(), new Shape(batch, grid.stepLength()));
      if (pair != null) points.add(new At(batch, pair));
      rows.add(row(Stream.of(Cell.of(Integer.toString(batch)).strong()), cells(pair), Stream.of()));
    }
    var all = new HeatMap("Decoding by batch and model", "Dense's time over Hadamard's, paired medians.", "batch", grid.stepBatches()
        .stream().map(batch -> Integer.toString(batch)).toList(), "model", List.copyOf(grid.models().keySet()),
        grid.stepBatches().stream()
            .map(batch -> grid.models().keySet().stream().map(model -> {
              var pair = measured.find(Kind.DECODE, model, new Shape(batch, grid.stepLength()));
              return pair == null ? Double.NaN : pair.speedup();
            }).toList()).toList());
    return Section.of("Figure 7", table("A step of decoding, " + grid.model() + ", length " + grid.stepLength(), List.of(Column.text(
        "batch")), List.of(), rows), plots("a step by batch", Axis.log("batch", "", Format.PLAIN), lines("", points)), all,
        findings.figure7());
  }

  /** Figure 8: decoding by size. */
  public Section figure8() {
    var ours = bySize(Kind.DECODE, grid.decode());
    var lines = new ArrayList<>(lines(", ours", ours));
    var paper = grid.models().entrySet().stream().filter(model -> published.decoding().containsKey(model.getKey())).toList();
    for (int arm = 0; arm < 2 && !paper.isEmpty(); arm++) {
      int which = arm;
      lines.add(new Line(arm == 0 ? "dense, paper" : "Hadamard, paper", paper.stream().map(model -> {
        double speed = decoding(model.getKey()).tokensPerSecond().get(which);
        return new Reading(parameters(model.getValue()), 1e3 * grid.decode().batch() / speed, speed);
      }).toList()));
    }
    var gain = new ArrayList<Series>();
    gain.add(Series.of("ours", ours.stream().map(at -> new Point(at.x, at.pair.speedup())).toList()).band(ours.stream().map(
        at -> new Series.Spread(at.x, at.pair.hadamard().speedup_low(), at.pair.hadamard().speedup_high())).toList()));
    if (!paper.isEmpty()) {
      gain.add(Series.of("paper", paper.stream().map(model -> new Point(parameters(model.getValue()), decoding(model.getKey()).speedup()))
          .toList()));
    }
    return Section.of("Figure 8", plots("a step by size", PARAMETERS, lines), Plot.of("Hadamard/dense by size", PARAMETERS, Axis.linear(
        "speed-up", "", Format.PLAIN), gain), findings.figure8());
  }

  private Published.Decoding decoding(String model) {
    var of = published.decoding().get(model);
    if (of == null) throw new IllegalArgumentException("the paper does not decode with " + model);
    return of;
  }

  private static double parameters(ModelConfig model) {
    return Gpt.parameters(model);
  }

  /** Both projections at a place of a plot. */
  private record At(double x, Pair pair) {}

  /** A time and a speed at a place of a plot. */
  private record Reading(double x, double milliseconds, double tokensPerSecond) {}

  private record Line(String name, List<Reading> readings) {
    Series series(ToDoubleFunction<Reading> y) {
      return Series.of(name, readings.stream().map(of -> new Point(of.x, y.applyAsDouble(of))).toList());
    }
  }

  private List<At> bySize(Kind kind, Shape cell) {
    var found = new ArrayList<At>();
    grid.models().forEach((name, model) -> {
      var pair = measured.find(kind, name, cell);
      if (pair != null) found.add(new At(parameters(model), pair));
    });
    return found;
  }

  private static List<Line> lines(String suffix, List<At> points) {
    return List.of(line("dense" + suffix, points, Pair::dense), line("Hadamard" + suffix, points, Pair::hadamard));
  }

  private static Line line(String name, List<At> points, Function<Pair, Row> arm) {
    return new Line(name, points.stream().map(at -> {
      var row = arm.apply(at.pair);
      return new Reading(at.x, row.p50_ms(), row.tokens_per_s());
    }).toList());
  }

  private static Columns plots(String what, Axis x, List<Line> lines) {
    return Columns.of(Plot.of("Latency of " + what, x, LATENCY, lines.stream().map(line -> line.series(Reading::milliseconds)).toList()),
        Plot.of("Throughput of " + what, x, THROUGHPUT, lines.stream().map(line -> line.series(Reading::tokensPerSecond)).toList()));
  }
}
