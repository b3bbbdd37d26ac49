package dev.walsh.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.UserError;
import dev.walsh.kernels.wht.HadamardOrder;
import dev.walsh.kernels.wht.OperatorBenchmark;
import dev.walsh.kernels.wht.OperatorBenchmark.Case;
import dev.walsh.kernels.wht.OperatorBenchmark.Form;
import dev.walsh.kernels.wht.OperatorBenchmark.Pass;
import dev.walsh.report.Axis;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Plot;
import dev.walsh.report.Series;
import dev.walsh.report.Table;
import dev.walsh.tensor.Dtype;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code walsh bench operator}: the fused projection, residual and norm of the model. */
@Command(name = "operator", description = "Projection, residual and norm as one operator, forward and backward, beside a copy of the same bytes and the best dense path.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "Examples:", "  walsh bench operator", "  walsh bench operator --device cpu --widths 768,1536 --rows 64,4096 --dtype f32"})
public final class BenchOperatorCommand implements Callable<Integer> {
  private static final int WIDEST_HEAD = 128;

  @Option(names = "--widths", paramLabel = "D", split = ",", defaultValue = "768,1024,1536,2048,2560,3072", description = "Widths of models (default: ${DEFAULT-VALUE}).")
  private List<Integer> widths = List.of();

  @Mixin
  private KernelBench bench = new KernelBench();

  @Spec
  private CommandSpec spec = CommandSpec.create();

  /** A row of the result line. */
  private record Row(int width, int heads, String form, String pass, String dtype, long rows,
      @JsonProperty("ns_per_row") double nanoseconds,
      @JsonProperty("copy_ns_per_row") double copy, @JsonProperty("dense_ns_per_row") double dense,
      @JsonProperty("max_error") double maxError) {
    static Row of(OperatorBenchmark.Row row) {
      var shape = row.shape();
      return new Row(shape.width(), shape.heads(), shape.form().toString(), row.pass().toString(), shape.dtype().toString(), shape.rows(),
          row.nanoseconds(), row.copyNanoseconds(), row.denseNanoseconds(), row.maxError());
    }
  }

  @Override
  public Integer call() {
    var heads = widths.stream().map(BenchOperatorCommand::heads).toList();
    var device = bench.start(spec);
    var cases = new ArrayList<Case>();
    for (var dtype : bench.dtypes(device)) {
      for (int i = 0; i < widths.size(); i++) {
        for (long rows : bench.rows(device)) {
          for (var form : Form.values()) cases.add(new Case(widths.get(i), heads.get(i), form, dtype, rows));
        }
      }
    }
    var results = OperatorBenchmark.run(device, cases);
    var table = Table.of("Projection, residual and norm in one, medians", Column.number("width"), Column.text("form"), Column.text("pass"),
        Column.text("dtype"), Column.number("rows"), Column.number("time", "ns/row"), Column.number("traffic", "GB/s"),
        Column.number("of copy"), Column.number("dense", "times slower"), Column.number("error"));
    for (var row : results) {
      var shape = row.shape();
      table = table.row(Cell.of(Integer.toString(shape.width())), Cell.of(shape.form().toString()), Cell.of(row.pass().toString()),
          Cell.of(shape.dtype().toString()), Cell.of(Long.toString(shape.rows())), Cell.of(row.nanoseconds(), Format.PLAIN),
          Cell.of(row.bytesPerSecond() / 1e9, Format.PLAIN), KernelBench.share(row.copyNanoseconds() / row.nanoseconds()),
          Cell.of(row.denseNanoseconds() / row.nanoseconds(), Format.PLAIN), KernelBench.error(row.maxError()));
    }
    bench.finish(spec, device, table, results.stream().map(Row::of).toList(), plot(results));
    return 0;
  }

  /** As many as the preset of that width has; else the fewest, each of 128 channels at most, for which both factors have a matrix. */
  private static int heads(int width) {
    int usual = ModelConfig.usualHeads(width);
    if (usual > 0) return usual;
    for (int heads = 1; heads <= width; heads++) {
      if (width % heads == 0 && width / heads <= WIDEST_HEAD && HadamardOrder.isSupported(heads)
          && HadamardOrder.isSupported(width / heads)) {
        return heads;
      }
    }
    throw new UserError("--widths " + width + ": no number of heads splits it into two Hadamard matrices, so it has no folded form; "
        + "choose another width, such as 768 or 1024");
  }

  /** The share of a copy's speed by width, in the first dtype, at the most rows. */
  private static Plot plot(List<OperatorBenchmark.Row> results) {
    long most = results.stream().mapToLong(row -> row.shape().rows()).max().orElseThrow();
    var dtype = results.getFirst().shape().dtype();
    var series = new ArrayList<Series>();
    for (var pass : Pass.values()) {
      for (var form : Form.values()) {
        series.add(Series.of(form + " " + pass, points(results, most, dtype, form, pass, OperatorBenchmark.Row::nanoseconds)));
      }
    }
    for (var pass : Pass.values()) {
      series.add(Series.of("dense " + pass, points(results, most, dtype, Form.FULL, pass, OperatorBenchmark.Row::denseNanoseconds)));
    }
    return Plot.of("%,d rows of %s against a copy".formatted(most, dtype), Axis.linear("width", "", Format.PLAIN),
        Axis.linear("share of copy speed", "", Format.PLAIN).within(0, KernelBench.PLOT_TOP), series);
  }

  private static List<Series.Point> points(List<OperatorBenchmark.Row> results, long rows, Dtype dtype, Form form, Pass pass,
      ToDoubleFunction<OperatorBenchmark.Row> time) {
    return results.stream()
        .filter(row -> row.shape().rows() == rows && row.shape().dtype() == dtype && row.shape().form() == form && row.pass() == pass)
        .map(row -> new Series.Point(row.shape().width(), row.copyNanoseconds() / time.applyAsDouble(row))).toList();
  }
}
