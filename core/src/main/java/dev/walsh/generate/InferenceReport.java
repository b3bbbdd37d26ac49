package dev.walsh.generate;

import dev.walsh.generate.InferenceBenchmark.Kind;
import dev.walsh.generate.InferenceResult.Row;
import dev.walsh.report.Axis;
import dev.walsh.report.Block;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Columns;
import dev.walsh.report.Format;
import dev.walsh.report.HeatMap;
import dev.walsh.report.HtmlReport;
import dev.walsh.report.Plot;
import dev.walsh.report.Section;
import dev.walsh.report.Series;
import dev.walsh.report.Series.Point;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import dev.walsh.report.Text;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;

/**
 * The page of a benchmark of prefill or decoding: for each model the heat maps of batch by length, latency and throughput by batch, and all
 * figures.
 */
public final class InferenceReport {
  private final InferenceResult result;

  public InferenceReport(InferenceResult result) {
    this.result = result;
  }

  private String work() {
    return result.bench() == Kind.DECODE ? "A step of decoding" : "Prefill";
  }

  /** Writes {@code report.html} and, under {@code figures}, its tables and pictures into a folder. */
  public void write(Path folder) {
    var stamp = result.stamp();
    var page = HtmlReport.titled(work() + " in " + result.dtype() + (result.weights().equals("int8") ? ", matrices in bytes" : ""))
        .fact("device", stamp.device()).fact("date", stamp.date()).fact("commit", stamp.commit()).fact("command", stamp.command());
    for (var section : sections()) {
      page.section(section);
      section.writeFiles(folder.resolve("figures"));
    }
    page.footnote(
        Text.of("Models take turns, round by round; a speed-up is the median of the rounds' quotients, with the interval that "
            + "holds the true median with 95% confidence."));
    page.footnote(
        Text.of("The floor is the longer of moving weights, cache and states at ").then(Span.of(result.copy_gbs(), Format.PLAIN)).then(
            " GB/s, a copy's rate, and of the products at ").then(Span.of(result.gemm_gflops(), Format.PLAIN)).then(" GFLOP/s."));
    page.writeTo(folder.resolve("report.html"));
  }

  private List<Section> sections() {
    var models = new LinkedHashMap<String, List<Row>>();
    for (var row : result.rows()) models.computeIfAbsent(row.model(), _ -> new ArrayList<>()).add(row);
    return models.entrySet().stream().map(model -> section(model.getKey(), model.getValue())).toList();
  }

  private Section section(String model, List<Row> rows) {
    var subjects = distinct(rows, Row::subject);
    var lengths = distinct(rows, Row::length);
    var batches = distinct(rows, Row::batch);
    var maps = new ArrayList<Block>();
    for (var subject : subjects.subList(1, subjects.size())) {
      maps.add(new HeatMap(subject + " against " + subjects.getFirst(), "How many times faster, paired medians.", "batch", names(
          batches), "length", names(lengths),
          batches.stream().map(batch -> lengths.stream().map(length -> speedup(rows, subject, batch,
              length)).toList()).toList()));
    }
    var time = new ArrayList<Series>();
    var speed = new ArrayList<Series>();
    for (var length : lengths) {
      for (var subject : subjects) {
        var name = subject + ", length " + length;
        time.add(line(rows, name, subject, length, Row::p50_ms));
        speed.add(line(rows, name, subject, length, Row::tokens_per_s));
      }
    }
    var batch = Axis.log("batch", "", Format.PLAIN);
    return new Section(model,
        List.of(new Columns(maps), Columns.of(Plot.of("Latency", batch, Axis.log("time", "ms", Format.PLAIN), time), Plot
            .of("Throughput", batch, Axis.log("throughput", "tokens/s", Format.COUNT), speed)), table(rows)));
  }

  private static <T> List<T> distinct(List<Row> rows, Function<Row, T> of) {
    return rows.stream().map(of).distinct().toList();
  }

  private static List<String> names(Collection<Integer> numbers) {
    return numbers.stream().map(number -> Integer.toString(number)).toList();
  }

  private static double speedup(List<Row> rows, String subject, int batch, int length) {
    return rows.stream().filter(row -> row.subject().equals(subject) && row.batch() == batch && row.length() == length).mapToDouble(
        Row::speedup).findFirst().orElse(Double.NaN);
  }

  private static Series line(List<Row> rows, String name, String subject, int length, ToDoubleFunction<Row> y) {
    return Series.of(name, rows.stream().filter(row -> row.subject().equals(subject) && row.length() == length).map(
        row -> new Point(row.batch(), y.applyAsDouble(row))).toList());
  }

  private Table table(List<Row> rows) {
    var table = Table.of(work(), Column.text("batch × length"), Column.text("model"), Column.number("median", "ms"), Column.number(
        "p99", "ms"), Column.number("speed", "tokens/s"), Column.number("floor", "ms"), Column.number("of floor"),
        Column.number(
            "times faster"),
        Column.number("from"), Column.number("to"), Column.number("floors"), Column.number("memory"));
    for (var row : rows) {
      boolean sure = row.speedup_low() > 1 || row.speedup_high() < 1;
      var ratio = Cell.of(row.speedup(), Format.PLAIN);
      table = table.row(Cell.of(row.batch() + " × " + row.length()), Cell.of(row.subject()), Cell.of(row.p50_ms(), Format.PLAIN), Cell
          .of(row.p99_ms(), Format.PLAIN), Cell.of(row.tokens_per_s(), Format.COUNT), Cell.of(row.floor_ms(), Format.PLAIN),
          Cell.of(row
              .of_floor(), Format.PLAIN),
          sure ? ratio.strong() : ratio, Cell.of(row.speedup_low(), Format.PLAIN), Cell.of(row
              .speedup_high(), Format.PLAIN),
          Cell.of(row.floor_speedup(), Format.PLAIN), Cell.of(row.peakBytes(), Format.BYTES));
    }
    return table;
  }
}
