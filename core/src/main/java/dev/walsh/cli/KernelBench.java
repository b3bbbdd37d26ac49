package dev.walsh.cli;

import dev.walsh.config.Json;
import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import dev.walsh.measure.Hardware;
import dev.walsh.measure.Stamp;
import dev.walsh.report.Cell;
import dev.walsh.report.Plot;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** What the benchmarks of single kernels share: where they run, on what, and how their results are told. */
final class KernelBench {
  /** Where plots of shares end: just above the copy. */
  static final double PLOT_TOP = 1.1;
  private static final int TABLE_WIDTH = 120;

  @Option(names = "--rows", paramLabel = "N", split = ",", description = "Rows at once; 64,16384 on the CPU and 1,64,1024,65536 on the GPU by default.")
  private List<Long> rowCounts = List.of();

  @Option(names = "--dtype", paramLabel = "f32|f64|bf16|f16", split = ",", description = "What rows are stored in; f32,bf16 on the CPU and bf16 on the GPU by default.")
  private List<String> dtypes = List.of();

  @Option(names = "--device", paramLabel = "auto|cpu|cuda", defaultValue = "auto", description = "What computes.")
  private String deviceName = "";

  @Option(names = "--threads", paramLabel = "N", description = "Threads of the CPU; all cores by default.")
  private @Nullable Integer threads;

  @Option(names = "--out", paramLabel = "FILE.json", description = "Writes the results there, and a plot beside it as FILE.svg.")
  private @Nullable Path out;

  private String banner = "";

  /** A result line: which benchmark, on which kind of device, its figures, and where they are from. */
  private record Result<R>(String bench, String device, List<R> rows, Stamp stamp) {}

  /** Checks the options, sets the threads, and says what the device is. */
  Device start(CommandSpec spec) {
    var device = Device.parse(deviceName);
    if (threads != null && threads < 1) throw new UserError("--threads is " + threads + "; give at least 1");
    requireJson(out);
    if (rowCounts.stream().anyMatch(n -> n < 1)) throw new UserError("--rows must be positive; no rows take no time");
    if (dtypes(device).contains(Dtype.F64) && device == Device.CUDA) {
      throw new UserError("--dtype f64: no kernel of the GPU takes it; use f32, bf16 or f16");
    }
    Device.setThreads(threads == null ? Runtime.getRuntime().availableProcessors() : threads);
    banner = Hardware.probe().banner(device.toString());
    spec.commandLine().getErr().println(banner);
    spec.commandLine().getErr().flush();
    return device;
  }

  /** Refuses a name for results that is not one of a JSON file. */
  static void requireJson(@Nullable Path out) {
    if (out != null && !out.toString().endsWith(".json")) throw new UserError("--out " + out + " must end in .json");
  }

  /** Writes results, where a file was asked for. */
  static void write(@Nullable Path out, Object result) {
    if (out != null) Disk.write(out, (Json.PRETTY.writeValueAsString(result) + "\n").getBytes(StandardCharsets.UTF_8));
  }

  List<Long> rows(Device device) {
    if (!rowCounts.isEmpty()) return rowCounts;
    return device == Device.CUDA ? List.of(1L, 64L, 1024L, 65536L) : List.of(64L, 16384L);
  }

  List<Dtype> dtypes(Device device) {
    if (!dtypes.isEmpty()) return dtypes.stream().map(KernelBench::dtype).toList();
    return device == Device.CUDA ? List.of(Dtype.BF16) : List.of(Dtype.F32, Dtype.BF16);
  }

  private static Dtype dtype(String name) {
    return switch (name) {
      case "f32", "f64", "bf16", "f16" -> Dtype.named(name);
      default -> throw new UserError("--dtype " + name + " is unknown; use f32, f64, bf16 or f16");
    };
  }

  /** A percentage. */
  static Cell share(double share) {
    return Cell.of(new Span("%.0f%%".formatted(100 * share), share));
  }

  /** An error in two digits. */
  static Cell error(double error) {
    return Cell.of(new Span("%.1e".formatted(error), error));
  }

  /** Prints the table and the line of JSON, and writes the files where they are wanted. */
  <R> void finish(CommandSpec spec, Device device, Table table, List<R> rows, Plot plot) {
    var stamp = Stamp.now(banner, spec.root().commandLine().getParseResult().originalArgs());
    var result = new Result<>(spec.name(), device.toString(), rows, stamp);
    var to = spec.commandLine().getOut();
    to.println(table.toText(TABLE_WIDTH));
    to.println(Json.LINE.writeValueAsString(result));
    to.flush();
    write(out, result);
    if (out != null) {
      var picture = out.resolveSibling(out.getFileName().toString().replaceFirst("json$", "svg"));
      Disk.write(picture, plot.toSvg().getBytes(StandardCharsets.UTF_8));
    }
  }
}
