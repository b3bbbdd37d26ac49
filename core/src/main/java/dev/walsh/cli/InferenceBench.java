package dev.walsh.cli;

import dev.walsh.checkpoint.Choice;
import dev.walsh.checkpoint.SavedModel;
import dev.walsh.config.AttentionKind;
import dev.walsh.config.Json;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.UserError;
import dev.walsh.generate.InferenceBenchmark;
import dev.walsh.generate.InferenceBenchmark.Kind;
import dev.walsh.generate.InferenceReport;
import dev.walsh.generate.InferenceResult;
import dev.walsh.generate.InferenceResult.Row;
import dev.walsh.measure.Hardware;
import dev.walsh.measure.Rates;
import dev.walsh.measure.Stamp;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Table;
import dev.walsh.study.Arm;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.OutOfMemory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** What the benchmarks of prefill and decode share: the models, the cells, and how the results are told. */
final class InferenceBench {
  private static final double MIB = 1 << 20;
  /** So that sums of lengths are numbers still. */
  private static final int MOST_LENGTH = 1 << 30;

  @Option(names = "--model", paramLabel = "PRESET|FILE.json", split = ",", defaultValue = "124M", description = "The shapes, with random weights (default: ${DEFAULT-VALUE}).")
  private List<String> models = List.of();

  @Option(names = "--projection", paramLabel = "NAME", split = ",", defaultValue = "dense,hadamard", completionCandidates = ArmNames.class, description = "The output projections, Hadamard's folded; the first is what the others are compared with (default: ${DEFAULT-VALUE}).")
  private List<String> projections = List.of();

  @Option(names = "--attention", paramLabel = "NAME", split = ",", description = "By what tokens weigh one another: softmax, hla:2x16, katharopoulos, cosformer, based; each with each projection, as the shape says by default.")
  private List<String> attentions = List.of();

  @Option(names = "--run", paramLabel = "RUN", split = ",", description = "Trained models instead: folders of runs.")
  private List<Path> runs = List.of();

  @Option(names = "--batches", paramLabel = "B", split = ",", defaultValue = "1", description = "Sequences at once (default: ${DEFAULT-VALUE}).")
  private List<Integer> batches = List.of();

  @Option(names = "--lengths", paramLabel = "T", split = ",", defaultValue = "128", description = "Tokens of a sequence (default: ${DEFAULT-VALUE}).")
  private List<Integer> lengths = List.of();

  @Option(names = "--most-tokens", paramLabel = "N", description = "Leaves out cells of more tokens than that, batch times length.")
  private @Nullable Long mostTokens;

  @Option(names = "--weights", paramLabel = "full|int8", defaultValue = "full", description = "Whether matrices have the model's dtype, or bytes (default: ${DEFAULT-VALUE}).")
  private String weightForm = "";

  @Option(names = "--graph", paramLabel = "on|off", defaultValue = "on", description = "Whether the GPU gets the work as one graph (default: ${DEFAULT-VALUE}).")
  private String graph = "";

  @Option(names = "--rounds", paramLabel = "N", defaultValue = "11", description = "Turns of each model in a cell (default: ${DEFAULT-VALUE}).")
  private int rounds;

  @Option(names = "--out", paramLabel = "FILE.json", description = "Writes the results there.")
  private @Nullable Path out;

  @Option(names = "--report", paramLabel = "DIR", description = "Writes report.html there: heat maps of batch by length, latency and throughput.")
  private @Nullable Path report;

  @Mixin
  private DeviceOptions compute = new DeviceOptions();

  void run(Kind kind, CommandSpec spec) {
    for (int n : batches) positive("--batches", n);
    for (int n : lengths) {
      positive("--lengths", n);
      if (n > MOST_LENGTH) throw new UserError(String.format(Locale.ROOT, "--lengths %d is too long; give at most %d", n, MOST_LENGTH));
    }
    positive("--rounds", rounds);
    boolean int8 = DeviceOptions.int8(weightForm);
    KernelBench.requireJson(out);
    if (!graph.equals("on") && !graph.equals("off")) throw new UserError("--graph " + graph + " is unknown; use on or off");
    var kinds = kinds();
    var arms = new LinkedHashMap<String, List<Arm>>();
    if (runs.isEmpty()) models.forEach(name -> arms.put(name, InferenceSubjects.arms(ModelConfig.parse(name), projections, kinds)));
    var device = compute.device();
    var dtype = compute.dtype(device);
    var banner = Hardware.probe().banner(device.toString());
    spec.commandLine().getErr().println(banner);
    spec.commandLine().getErr().flush();
    var rates = Rates.measure(device.toString());
    var rows = new ArrayList<Row>();
    if (!runs.isEmpty()) cells(kind, spec, "trained", trained(device, dtype, int8), rates, rows);
    int longest = lengths.stream().mapToInt(Integer::intValue).max().orElseThrow();
    for (var each : arms.entrySet()) {
      cells(kind, spec, each.getKey(), InferenceSubjects.random(each.getValue(), longest, device, dtype, int8), rates, rows);
      // Whoever stops it here has the models so far.
      if (!rows.isEmpty()) KernelBench.write(out, result(kind, spec, rows, rates, dtype, banner));
    }
    if (rows.isEmpty()) throw new UserError("there is no cell to time; ask for fewer sequences at once or shorter ones");
    print(spec, result(kind, spec, rows, rates, dtype, banner));
  }

  private InferenceResult result(Kind kind, CommandSpec spec, List<Row> rows, Rates rates, Dtype dtype, String banner) {
    return new InferenceResult(kind, dtype.toString(), weightForm, graph, rates.copy() / 1e9, InferenceResult.product(rates, dtype) / 1e9,
        rows,
        Stamp.now(banner, spec.root().commandLine().getParseResult().originalArgs()));
  }

  private static void positive(String option, int value) {
    if (value < 1) throw new UserError(option + " is " + value + "; give at least 1");
  }

  /** The attentions that were asked for; none for each shape's own. */
  private List<AttentionKind> kinds() {
    if (!attentions.isEmpty() && !runs.isEmpty()) {
      throw new UserError("--attention is what models of random weights attend by, and --run has its own; leave one of them out");
    }
    for (var name : projections) {
      if (AttentionKind.isName(name.substring(name.lastIndexOf('+') + 1))) {
        throw new UserError("--projection " + name + " names an attention; give that with --attention");
      }
    }
    return attentions.stream().map(AttentionKind::named).toList();
  }

  private InferenceSubjects trained(Device device, Dtype dtype, boolean int8) {
    var loaded = new InferenceSubjects();
    for (var run : runs) {
      var saved = SavedModel.find(run, new Choice.Latest(), _ -> {});
      int longest = saved.state().model().longest();
      for (int length : lengths) {
        if (InferenceBenchmark.context(length) > longest) {
          throw new UserError("--lengths " + length + " is more than the " + longest + " tokens that " + run + " sees leave room for; "
              + "give at most " + (longest - InferenceBenchmark.context(0)));
        }
      }
      var model = saved.load(device, dtype, int8);
      loaded.add(run.getFileName().toString(), model.model(), model.weights());
    }
    return loaded;
  }

  /** Leaves out cells for which there is too little memory. */
  private void cells(Kind kind, CommandSpec spec, String model, InferenceSubjects subjects, Rates rates, List<Row> rows) {
    try (subjects) {
      subjects.verify();
      for (int length : lengths) {
        for (int batch : batches) {
          if (mostTokens != null && (long) batch * length > mostTokens) continue;
          try {
            rows.addAll(subjects.cell(kind, model, batch, length, graph.equals("on"), rounds, rates));
          } catch (RuntimeException e) {
            if (!(e instanceof UserError) && !OutOfMemory.isCauseOf(e)) throw e;
            spec.commandLine().getErr().printf(Locale.ROOT, "%s, %d × %d is left out. %s%n", model, batch, length,
                e instanceof UserError ? e.getMessage() : "The GPU's memory is too small for it");
          }
        }
      }
    }
  }

  private void print(CommandSpec spec, InferenceResult result) {
    var first = result.rows().getFirst().subject();
    var table = Table.of(
        (result.bench() == Kind.DECODE ? "A step of decoding" : "Prefill") + " in " + result.dtype()
            + (weightForm.equals("int8") ? ", int8" : ""),
        Column.text("model"), Column.text("projection"), Column.text("attention"), Column.text("batch × length"),
        Column.number("median", "ms"),
        Column.number("p99", "ms"), Column.number("speed", "tokens/s"), Column.number("of floor"), Column.number("against " + first),
        Column.number("from"), Column.number("to"), Column.number("weights"), Column.number("state"), Column.number("workspace"));
    for (var row : result.rows()) {
      table = table.row(Cell.of(row.model()), Cell.of(row.projection()), Cell.of(row.attention()),
          Cell.of(row.batch() + " × " + row.length()),
          Cell.of(row.p50_ms(), Format.PLAIN), Cell.of(row.p99_ms(), Format.PLAIN), Cell.of(row.tokens_per_s(), Format.PLAIN),
          KernelBench.share(row.of_floor()), Cell.of(row.speedup(), Format.PLAIN), Cell.of(row.speedup_low(), Format.PLAIN),
          Cell.of(row.speedup_high(), Format.PLAIN), Cell.of(row.weights_mib() * MIB, Format.BYTES),
          Cell.of(row.cache_mib() * MIB, Format.BYTES),
          Cell.of(row.workspace_mib() * MIB, Format.BYTES));
    }
    var to = spec.commandLine().getOut();
    to.println(table.toText(spec.commandLine().getUsageHelpWidth()));
    to.printf(Locale.ROOT,
        "The floor is the longer of moving weights, cache and states at %.0f GB/s, a copy's rate, and of the products at %.0f GFLOP/s.%n",
        result.copy_gbs(), result.gemm_gflops());
    to.println(Json.LINE.writeValueAsString(result));
    to.flush();
    KernelBench.write(out, result);
    if (report != null) new InferenceReport(result).write(report);
  }
}
