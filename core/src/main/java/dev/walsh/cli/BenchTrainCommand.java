package dev.walsh.cli;

import dev.walsh.config.Json;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.Recipe;
import dev.walsh.config.TrainConfig;
import dev.walsh.config.UserError;
import dev.walsh.data.Dataset;
import dev.walsh.data.Loader;
import dev.walsh.data.ZipfTokens;
import dev.walsh.measure.Hardware;
import dev.walsh.measure.PeakMemory;
import dev.walsh.measure.Rates;
import dev.walsh.measure.Stamp;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import dev.walsh.study.Arm;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Ranks;
import dev.walsh.train.Execution;
import dev.walsh.train.TrainBenchmark;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code walsh bench train}: the whole training step. */
@Command(name = "train", description = "The training step: tokens a second, and the share of the device's limits that it reaches.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "MFU counts 6 operations a token and matrix element and 6 L T d for attention, against the matrix product measured in the run.",
    "The roofline is those operations at that rate, and then the bytes that all else must move at the rate of a copy.", "", "Examples:",
    "  walsh bench train --device cpu --model 124M --batch 4 --length 64",
    "  walsh bench train --model 124M --batch 64 --gpus 2",
    "  walsh bench train --model 124M,354M --projection dense,hadamard --batch 32,16 --out results/train.json"})
public final class BenchTrainCommand implements Callable<Integer> {
  private static final int ZIPF_TOKENS = 4 << 20;

  @Option(names = "--model", paramLabel = "PRESET|FILE.json", split = ",", defaultValue = "124M", description = "The shapes (default: ${DEFAULT-VALUE}).")
  private List<String> models = List.of();

  @Option(names = "--projection", paramLabel = "NAME", split = ",", defaultValue = "dense,hadamard", completionCandidates = ArmNames.class, description = "The output projections, or what else 'walsh train --projection' takes (default: ${DEFAULT-VALUE}).")
  private List<String> projections = List.of();

  @Option(names = "--batch", paramLabel = "B", split = ",", defaultValue = "4", description = "Sequences of a step, for each shape or for all (default: ${DEFAULT-VALUE}).")
  private List<Integer> batches = List.of();

  @Option(names = "--length", paramLabel = "T", description = "Tokens of a sequence; the model's context by default.")
  private int length;

  @Option(names = "--steps", paramLabel = "N", defaultValue = "20", description = "Steps that are timed (default: ${DEFAULT-VALUE}).")
  private int steps;

  @Option(names = "--graph", paramLabel = "on|off", split = ",", defaultValue = "on", description = "Whether the GPU gets the step as one graph; both can be given (default: ${DEFAULT-VALUE}).")
  private List<String> graphs = List.of();

  @Option(names = "--data", paramLabel = "DIR", description = "A dataset to train on; tokens drawn by Zipf's law by default.")
  private @Nullable Path data;

  @Option(names = "--out", paramLabel = "FILE.json", description = "Writes the results there.")
  private @Nullable Path out;

  @Mixin
  private DeviceOptions compute = new DeviceOptions();

  @Mixin
  private RankOptions sharing = new RankOptions();

  @Spec
  private CommandSpec spec = CommandSpec.create();

  /** A row of the result line. */
  private record Row(String model, int batch, int length, String projection, String graph, double ms, double tokensPerSecond, double mfu,
      double roofline, double memoryMib, double firstLoss, double lastLoss, double lossError) {}

  @Override
  public Integer call() throws IOException {
    if (batches.size() != 1 && batches.size() != models.size()) {
      throw new UserError("--batch names " + batches.size() + " sizes for " + models.size() + " shapes; give one for all or one for each");
    }
    if (steps < 1) throw new UserError("--steps is " + steps + "; give at least 1");
    KernelBench.requireJson(out);
    var executions = graphs.stream().map(BenchTrainCommand::execution).toList();
    var shapes = models.stream().map(ModelConfig::parse).toList();
    var arms = shapes.stream().map(shape -> projections.stream().map(name -> Arm.named(shape, name)).toList()).toList();
    var device = compute.device();
    var dtype = compute.dtype(device);
    var at = sharing.rendezvous(device, System.getenv());
    if (sharing.starts()) return sharing.start(spec);
    var banner = Hardware.probe().banner(device.toString());
    var say = RankOptions.voice(at, spec.commandLine().getErr());
    say.println(banner);
    say.flush();
    var rates = Rates.measure(device.toString());
    try (var ranks = RankOptions.connect(at, device, spec.commandLine().getErr())) {
      var rows = rows(shapes, arms, executions, device, dtype, rates, ranks);
      ranks.finish();
      if (ranks.isFirst()) print(rows, rates, ranks.size(), dtype, banner);
      return 0;
    }
  }

  private List<Row> rows(List<ModelConfig> shapes, List<List<Arm>> arms, List<Execution> executions, Device device, Dtype dtype,
      Rates rates, Ranks ranks) throws IOException {
    var rows = new ArrayList<Row>();
    for (int i = 0; i < shapes.size(); i++) {
      int batch = batches.get(batches.size() == 1 ? 0 : i);
      var shape = shapes.get(i);
      int tokens = length == 0 ? shape.context() : length;
      try (var text = Text.open(data, shape.vocabulary())) {
        for (var arm : arms.get(i)) {
          for (var execution : executions) {
            var recipe = recipe(shape, batch, tokens);
            var loader = Loader.shuffled(text.dataset.train(), tokens, recipe.seed());
            var result = TrainBenchmark.run(arm.model().withContext(tokens), recipe, loader, device, dtype, execution, ranks, steps);
            rows.add(row(models.get(i), arm, execution, recipe, result, rates, ranks.size(), dtype, device));
          }
        }
      }
    }
    return rows;
  }

  private static Execution execution(String graph) {
    return switch (graph) {
      case "on" -> Execution.GRAPH;
      case "off" -> Execution.PLAIN;
      default -> throw new UserError("--graph " + graph + " is unknown; use on, off or both, as on,off");
    };
  }

  /** The usual recipe but without a warm-up, so that the loss falls in a few steps. */
  private static TrainConfig recipe(ModelConfig shape, int batch, int tokens) {
    var usual = Recipe.of(shape, Long.MAX_VALUE / 2, true);
    return new TrainConfig(usual.tokens(), batch * tokens, batch, tokens, usual.learningRate(), usual.finalLearningRate(), 0, usual.beta1(),
        usual.beta2(), usual.weightDecay(), usual.clip(), 0);
  }

  private static Row row(String model, Arm arm, Execution execution, TrainConfig recipe, TrainBenchmark.Result result, Rates rates,
      int ranks, Dtype dtype, Device device) {
    double product = ranks * (dtype == Dtype.BF16 ? rates.bfloat16() : rates.float32());
    double limit = result.flops() / product + result.moved() / rates.copy();
    double memory = device == Device.CUDA ? result.memoryBytes() : PeakMemory.bytes();
    return new Row(model, recipe.batch(), recipe.length(), arm.name(), execution == Execution.GRAPH ? "on" : "off",
        1e3 * result.seconds(), recipe.batchTokens() / result.seconds(), result.flops() / result.seconds() / product,
        limit / result.seconds(), memory / (1 << 20), result.firstLoss(), result.lastLoss(), result.lossError());
  }

  private void print(List<Row> rows, Rates rates, int ranks, Dtype dtype, String banner) {
    var table = Table.of("The training step in " + dtype + (ranks == 1 ? "" : " on " + ranks + " devices") + ", medians",
        Column.text("model"), Column.text("batch"),
        Column.text("projection"), Column.text("graph"), Column.number("step", "ms"), Column.number("speed", "tokens/s"),
        Column.number("MFU"), Column.number("of roofline"), Column.number("memory"), Column.number("loss", "nats"));
    for (var row : rows) {
      table = table.row(Cell.of(row.model), Cell.of(row.batch + " × " + row.length), Cell.of(row.projection), Cell.of(row.graph),
          Cell.of(row.ms, Format.PLAIN), Cell.of(row.tokensPerSecond, Format.PLAIN), KernelBench.share(row.mfu),
          KernelBench.share(row.roofline), Cell.of(row.memoryMib * (1 << 20), Format.BYTES),
          Cell.of(new Span(String.format(Locale.ROOT, "%.2f to %.2f", row.firstLoss, row.lastLoss), row.lastLoss)));
    }
    var to = spec.commandLine().getOut();
    to.println(table.toText(spec.commandLine().getUsageHelpWidth()));
    to.printf(Locale.ROOT, "Measured here: %.0f GFLOP/s in bf16, %.0f in float32, copies of %.0f GB/s.%n", rates.bfloat16() / 1e9,
        rates.float32() / 1e9, rates.copy() / 1e9);
    var line = new LinkedHashMap<String, Object>();
    line.put("bench", "train");
    line.put("dtype", dtype.toString());
    line.put("ranks", ranks);
    line.put("data", data == null ? "drawn by Zipf's law" : data.getFileName().toString());
    line.put("gemm_gflops", (dtype == Dtype.BF16 ? rates.bfloat16() : rates.float32()) / 1e9);
    line.put("copy_gbs", rates.copy() / 1e9);
    line.put("rows", rows);
    line.put("stamp", Stamp.now(banner, spec.root().commandLine().getParseResult().originalArgs()));
    to.println(Json.LINE.writeValueAsString(line));
    to.flush();
    KernelBench.write(out, line);
  }

  /** What is trained on: a dataset of the user's, or one that goes away again. */
  private record Text(Dataset dataset, @Nullable Path temporary) implements AutoCloseable {
    static Text open(@Nullable Path given, int vocabulary) throws IOException {
      if (given != null) return new Text(Dataset.open(given), null);
      var folder = Files.createTempDirectory("walsh-bench");
      ZipfTokens.write(folder, vocabulary, ZIPF_TOKENS);
      return new Text(Dataset.open(folder), folder);
    }

    @Override
    public void close() throws IOException {
      dataset.close();
      if (temporary == null) return;
      try (var files = Files.list(temporary)) {
        for (var file : files.toList()) Files.delete(file);
      }
      Files.delete(temporary);
    }
  }
}
