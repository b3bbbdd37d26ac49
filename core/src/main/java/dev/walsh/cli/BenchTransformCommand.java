package dev.walsh.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.walsh.config.Json;
import dev.walsh.config.UserError;
import dev.walsh.kernels.wht.HadamardOrder;
import dev.walsh.kernels.wht.TransformBenchmark;
import dev.walsh.measure.Hardware;
import dev.walsh.measure.Stamp;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code walsh bench transform}: the stand-alone Walsh–Hadamard transform on the CPU. */
@Command(name = "transform", description = "The Walsh–Hadamard transform of rows on the CPU, beside a copy of the same bytes and the dense product.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "Examples:", "  walsh bench transform", "  walsh bench transform --widths 768,1536 --rows 64,65536 --dtype f32,bf16"})
public final class BenchTransformCommand implements Callable<Integer> {
  @Option(names = "--widths", paramLabel = "D", split = ",", defaultValue = "256,512,768,1024,1536,2048,2560,3072,4096", description = "The orders of the transform (default: ${DEFAULT-VALUE}).")
  private List<Integer> widths = List.of();

  @Option(names = "--rows", paramLabel = "N", split = ",", defaultValue = "64,16384", description = "Rows transformed at once (default: ${DEFAULT-VALUE}).")
  private List<Long> rowCounts = List.of();

  @Option(names = "--dtype", paramLabel = "f32|f64|bf16|f16", split = ",", defaultValue = "f32,bf16", description = "What rows are stored in (default: ${DEFAULT-VALUE}).")
  private List<String> dtypes = List.of();

  @Option(names = "--threads", paramLabel = "N", description = "Threads; all cores by default.")
  private int threads;

  @Spec
  private CommandSpec spec = CommandSpec.create();

  /** A row of the result line. */
  private record Row(int width, String dtype, long rows, @JsonProperty("ns_per_row") double nanoseconds,
      @JsonProperty("copy_ns_per_row") double copy,
      @JsonProperty("dense_ns_per_row") double dense, @JsonProperty("max_error") double maxError) {}

  private record Result(String bench, String device, List<Row> rows, Stamp stamp) {}

  @Override
  public Integer call() {
    var orders = widths.stream().map(HadamardOrder::of).toList();
    var types = dtypes.stream().map(BenchTransformCommand::dtype).toList();
    if (rowCounts.stream().anyMatch(n -> n < 1)) throw new UserError("--rows must be positive; a transform of no rows takes no time");
    Device.setThreads(threads > 0 ? threads : Runtime.getRuntime().availableProcessors());
    var banner = Hardware.probe().banner("cpu");
    spec.commandLine().getErr().println(banner);
    spec.commandLine().getErr().flush();
    var rows = new ArrayList<Row>();
    var table = Table.of("One transform out of place, medians", Column.number("width"), Column.text("dtype"), Column.number("rows"),
        Column.number("time", "ns/row"), Column.number("traffic", "GB/s"),
        Column.number("copy speed", "share"), Column.number("dense", "times slower"), Column.number("error"));
    for (var type : types) {
      for (var order : orders) {
        for (long n : rowCounts) {
          var row = TransformBenchmark.run(order, type, n);
          rows.add(
              new Row(row.width(), type.toString(), n, row.nanoseconds(), row.copyNanoseconds(), row.denseNanoseconds(), row.maxError()));
          double share = row.copyNanoseconds() / row.nanoseconds();
          table = table.row(Cell.of(Integer.toString(row.width())), Cell.of(type.toString()), Cell.of(Long.toString(n)),
              Cell.of(row.nanoseconds(), Format.PLAIN), Cell.of(row.bytesPerSecond() / 1e9, Format.PLAIN),
              Cell.of(new Span("%.0f%%".formatted(100 * share), share)), Cell.of(row.denseNanoseconds() / row.nanoseconds(), Format.PLAIN),
              Cell.of(new Span("%.1e".formatted(row.maxError()), row.maxError())));
        }
      }
    }
    var to = spec.commandLine().getOut();
    to.println(table.toText(100));
    to.println(Json.LINE.writeValueAsString(
        new Result("transform", "cpu", rows, Stamp.now(banner, spec.root().commandLine().getParseResult().originalArgs()))));
    to.flush();
    return 0;
  }

  private static Dtype dtype(String name) {
    try {
      return Dtype.named(name);
    } catch (IllegalArgumentException e) {
      throw new UserError("--dtype " + name + " is unknown; use f32, f64, bf16 or f16", e);
    }
  }
}
