package dev.walsh.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.walsh.kernels.wht.HadamardOrder;
import dev.walsh.kernels.wht.TransformBenchmark;
import dev.walsh.kernels.wht.TransformBenchmark.Case;
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
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code walsh bench transform}: the stand-alone Walsh–Hadamard transform. */
@Command(name = "transform", description = "The Walsh–Hadamard transform of rows, beside a copy of the same bytes and the dense product.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "Examples:", "  walsh bench transform", "  walsh bench transform --device cpu --widths 768,1536 --rows 64,65536 --dtype f32,bf16"})
public final class BenchTransformCommand implements Callable<Integer> {
  @Option(names = "--widths", paramLabel = "D", split = ",", defaultValue = "512,768,1024,1536,2048,2560,3072,4096,8192", description = "The orders of the transform (default: ${DEFAULT-VALUE}).")
  private List<Integer> widths = List.of();

  @Mixin
  private KernelBench bench = new KernelBench();

  @Spec
  private CommandSpec spec = CommandSpec.create();

  /** A row of the result line. */
  private record Row(int width, String dtype, long rows, @JsonProperty("ns_per_row") double nanoseconds,
      @JsonProperty("copy_ns_per_row") double copy,
      @JsonProperty("dense_ns_per_row") double dense, @JsonProperty("max_error") double maxError) {
    static Row of(TransformBenchmark.Row row) {
      var shape = row.shape();
      return new Row(shape.order().order(), shape.dtype().toString(), shape.rows(), row.nanoseconds(), row.copyNanoseconds(),
          row.denseNanoseconds(), row.maxError());
    }
  }

  @Override
  public Integer call() {
    var orders = widths.stream().map(HadamardOrder::of).toList();
    var device = bench.start(spec);
    var cases = new ArrayList<Case>();
    for (var dtype : bench.dtypes(device)) {
      for (var order : orders) {
        for (long rows : bench.rows(device)) cases.add(new Case(order, dtype, rows));
      }
    }
    var results = TransformBenchmark.run(device, cases);
    var table = Table.of("One transform out of place, medians", Column.number("width"), Column.text("dtype"), Column.number("rows"),
        Column.number("time", "ns/row"), Column.number("traffic", "GB/s"), Column.number("of copy"),
        Column.number("dense", "times slower"), Column.number("error"));
    for (var row : results) {
      var shape = row.shape();
      table = table.row(Cell.of(Integer.toString(shape.order().order())), Cell.of(shape.dtype().toString()),
          Cell.of(Long.toString(shape.rows())), Cell.of(row.nanoseconds(), Format.PLAIN),
          Cell.of(row.bytesPerSecond() / 1e9, Format.PLAIN), KernelBench.share(row.copyNanoseconds() / row.nanoseconds()),
          Cell.of(row.denseNanoseconds() / row.nanoseconds(), Format.PLAIN), KernelBench.error(row.maxError()));
    }
    bench.finish(spec, device, table, results.stream().map(Row::of).toList(), plot(results));
    return 0;
  }

  /** The share of a copy's speed by width, at the most rows. */
  private static Plot plot(List<TransformBenchmark.Row> results) {
    long most = results.stream().mapToLong(row -> row.shape().rows()).max().orElseThrow();
    var series = new ArrayList<Series>();
    for (var dtype : results.stream().map(row -> row.shape().dtype()).distinct().toList()) {
      series.add(Series.of("transform, " + dtype, points(results, most, dtype, true)));
      series.add(Series.of("dense product, " + dtype, points(results, most, dtype, false)));
    }
    return Plot.of("%,d rows against a copy".formatted(most), Axis.log("width", "", Format.PLAIN),
        Axis.linear("share of copy speed", "", Format.PLAIN).within(0, KernelBench.PLOT_TOP), series);
  }

  private static List<Series.Point> points(List<TransformBenchmark.Row> results, long rows, Dtype dtype, boolean own) {
    return results.stream().filter(row -> row.shape().rows() == rows && row.shape().dtype() == dtype)
        .map(row -> new Series.Point(row.shape().order().order(),
            row.copyNanoseconds() / (own ? row.nanoseconds() : row.denseNanoseconds())))
        .toList();
  }
}
