package dev.walsh.cli;

import dev.walsh.checkpoint.Choice;
import dev.walsh.checkpoint.SavedModel;
import dev.walsh.config.Json;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection.Mix;
import dev.walsh.config.UserError;
import dev.walsh.generate.InferenceBenchmark;
import dev.walsh.generate.InferenceBenchmark.Kind;
import dev.walsh.generate.InferenceBenchmark.Result;
import dev.walsh.generate.InferenceBenchmark.Subject;
import dev.walsh.kernels.nn.Int8Matrix;
import dev.walsh.measure.Hardware;
import dev.walsh.measure.PairedRatio;
import dev.walsh.measure.Rates;
import dev.walsh.measure.Stamp;
import dev.walsh.model.Folding;
import dev.walsh.model.Gpt;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Table;
import dev.walsh.study.Arm;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Scalar;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** What the benchmarks of prefill and decode share: the models, the cells, and how the results are told. */
final class InferenceBench {
  /** A fresh model's; what matters to the clock is that numbers are neither zero nor infinite. */
  private static final double DEVIATION = 0.02;
  private static final double MIB = 1 << 20;

  @Option(names = "--model", paramLabel = "PRESET|FILE.json", split = ",", defaultValue = "124M", description = "The shapes, with random weights (default: ${DEFAULT-VALUE}).")
  private List<String> models = List.of();

  @Option(names = "--projection", paramLabel = "NAME", split = ",", defaultValue = "dense,hadamard", completionCandidates = ArmNames.class, description = "The output projections, Hadamard's folded; the first is what the others are compared with (default: ${DEFAULT-VALUE}).")
  private List<String> projections = List.of();

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

  @Mixin
  private DeviceOptions compute = new DeviceOptions();

  /** A row of the result line; times in milliseconds, of a step or of a prefill. */
  private record Row(String model, String projection, int batch, int length, double p50_ms, double p99_ms, double tokens_per_s,
      double floor_ms, double of_floor, double speedup, double speedup_low, double speedup_high, double weights_mib, double cache_mib,
      double workspace_mib) {}

  void run(Kind kind, CommandSpec spec) {
    for (int n : batches) positive("--batches", n);
    for (int n : lengths) positive("--lengths", n);
    positive("--rounds", rounds);
    boolean int8 = DeviceOptions.int8(weightForm);
    KernelBench.requireJson(out);
    if (!graph.equals("on") && !graph.equals("off")) throw new UserError("--graph " + graph + " is unknown; use on or off");
    var shapes = runs.isEmpty() ? models.stream().map(ModelConfig::parse).toList() : List.<ModelConfig>of();
    var device = compute.device();
    var dtype = compute.dtype(device);
    var banner = Hardware.probe().banner(device.toString());
    spec.commandLine().getErr().println(banner);
    spec.commandLine().getErr().flush();
    var rates = Rates.measure(device.toString());
    var rows = new ArrayList<Row>();
    if (!runs.isEmpty()) {
      cells(kind, "trained", trained(device, dtype, int8), rates, dtype, rows);
    }
    for (int i = 0; i < shapes.size(); i++) {
      cells(kind, models.get(i), random(shapes.get(i), device, dtype, int8), rates, dtype, rows);
    }
    print(kind, spec, rows, rates, dtype, banner);
  }

  private static void positive(String option, int value) {
    if (value < 1) throw new UserError(option + " is " + value + "; give at least 1");
  }

  /** Models whose weights are freed together. */
  private record Loaded(List<Subject> subjects, List<Weights> weights) {}

  private Loaded trained(Device device, Dtype dtype, boolean int8) {
    var loaded = new Loaded(new ArrayList<>(), new ArrayList<>());
    for (var run : runs) {
      var saved = SavedModel.find(run, new Choice.Latest(), _ -> {});
      int context = saved.state().model().context();
      for (int length : lengths) {
        if (InferenceBenchmark.context(length) > context) {
          throw new UserError("--lengths " + length + " is more than the " + context + " tokens that " + run + " sees leave room for; "
              + "give at most " + (context - InferenceBenchmark.context(0)));
        }
      }
      var model = saved.load(device, dtype, int8);
      loaded.weights.add(model.weights());
      loaded.subjects.add(new Subject(run.getFileName().toString(), model.model(), model.weights().bytes()));
    }
    return loaded;
  }

  private Loaded random(ModelConfig shape, Device device, Dtype dtype, boolean int8) {
    int longest = lengths.stream().mapToInt(Integer::intValue).max().orElseThrow();
    var loaded = new Loaded(new ArrayList<>(), new ArrayList<>());
    for (var name : projections) {
      var config = Arm.named(shape, name).model().withContext(InferenceBenchmark.context(longest));
      var mix = config.projection().mix();
      if (mix.isHadamard() && mix != Mix.HADAMARD_FOLDED) config = new Folding(config).folded();
      var weights = Weights.toBeLoaded(device, dtype);
      var model = new Gpt(config, weights);
      try (var scope = Scope.withoutGradients()) {
        for (var w : weights.all()) {
          if (w.value().dim() == 1) {
            w.value().fill_(new Scalar(1));
          } else {
            w.value().normal_(0, DEVIATION, new GeneratorOptional());
          }
        }
      }
      if (int8) weights.store(weights.masters(), Int8Matrix::pack);
      loaded.weights.add(weights);
      loaded.subjects.add(new Subject(name, model, weights.bytes()));
    }
    return loaded;
  }

  private void cells(Kind kind, String model, Loaded loaded, Rates rates, Dtype dtype, List<Row> rows) {
    try {
      for (var subject : loaded.subjects) InferenceBenchmark.verify(subject.model());
      for (int length : lengths) {
        for (int batch : batches) {
          if (mostTokens != null && (long) batch * length > mostTokens) continue;
          var results = InferenceBenchmark.run(kind, loaded.subjects, batch, length, graph.equals("on"), rounds);
          for (var result : results) rows.add(row(kind, model, batch, length, result, results.getFirst(), rates, dtype));
        }
      }
    } finally {
      loaded.weights.forEach(Weights::close);
    }
  }

  private static Row row(Kind kind, String model, int batch, int length, Result result, Result first, Rates rates, Dtype dtype) {
    var seconds = result.seconds();
    double median = seconds[seconds.length / 2];
    double tokens = kind == Kind.DECODE ? batch : (double) batch * length;
    double floor = Math.max(result.bytes() / rates.copy(), result.flops() / (dtype == Dtype.BF16 ? rates.bfloat16() : rates.float32()));
    var ratio = PairedRatio.of(first.rounds(), result.rounds());
    return new Row(model, result.name(), batch, length, 1e3 * median, 1e3 * seconds[(int) Math.ceil(0.99 * seconds.length) - 1],
        tokens / median, 1e3 * floor, floor / median, ratio.median(), ratio.low(), ratio.high(), result.weightBytes() / MIB,
        result.cacheBytes() / MIB, result.workspaceBytes() / MIB);
  }

  private void print(Kind kind, CommandSpec spec, List<Row> rows, Rates rates, Dtype dtype, String banner) {
    var first = runs.isEmpty() ? projections.getFirst() : runs.getFirst().getFileName().toString();
    var table = Table.of(
        (kind == Kind.DECODE ? "A step of decoding" : "Prefill") + " in " + dtype + (weightForm.equals("int8") ? ", int8" : ""),
        Column.text("model"), Column.text("projection"), Column.text("batch × length"), Column.number("median", "ms"),
        Column.number("p99", "ms"), Column.number("speed", "tokens/s"), Column.number("of floor"), Column.number("against " + first),
        Column.number("from"), Column.number("to"), Column.number("weights"), Column.number("cache"), Column.number("workspace"));
    for (var row : rows) {
      table = table.row(Cell.of(row.model), Cell.of(row.projection), Cell.of(row.batch + " × " + row.length),
          Cell.of(row.p50_ms, Format.PLAIN), Cell.of(row.p99_ms, Format.PLAIN), Cell.of(row.tokens_per_s, Format.PLAIN),
          KernelBench.share(row.of_floor), Cell.of(row.speedup, Format.PLAIN), Cell.of(row.speedup_low, Format.PLAIN),
          Cell.of(row.speedup_high, Format.PLAIN), Cell.of(row.weights_mib * MIB, Format.BYTES), Cell.of(row.cache_mib * MIB, Format.BYTES),
          Cell.of(row.workspace_mib * MIB, Format.BYTES));
    }
    var to = spec.commandLine().getOut();
    to.println(table.toText(spec.commandLine().getUsageHelpWidth()));
    to.printf(Locale.ROOT,
        "The floor is the longer of reading weights and cache at %.0f GB/s, a copy's rate, and of the products at %.0f GFLOP/s.%n",
        rates.copy() / 1e9, (dtype == Dtype.BF16 ? rates.bfloat16() : rates.float32()) / 1e9);
    var line = new LinkedHashMap<String, Object>();
    line.put("bench", kind.name().toLowerCase(Locale.ROOT));
    line.put("dtype", dtype.toString());
    line.put("weights", weightForm);
    line.put("graph", graph);
    line.put("copy_gbs", rates.copy() / 1e9);
    line.put("gemm_gflops", (dtype == Dtype.BF16 ? rates.bfloat16() : rates.float32()) / 1e9);
    line.put("rows", rows);
    line.put("stamp", Stamp.now(banner, spec.root().commandLine().getParseResult().originalArgs()));
    to.println(Json.LINE.writeValueAsString(line));
    to.flush();
    KernelBench.write(out, line);
  }
}
