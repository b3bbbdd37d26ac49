package dev.walsh.cli;

import dev.walsh.config.Json;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.config.Recipe;
import dev.walsh.config.TrainConfig;
import dev.walsh.measure.Hardware;
import dev.walsh.measure.PeakMemory;
import dev.walsh.measure.Rates;
import dev.walsh.measure.Stamp;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import dev.walsh.tensor.Dtype;
import dev.walsh.train.TrainBenchmark;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code walsh bench train}: the whole training step. */
@Command(name = "train", description = "The training step: tokens a second, and the share of the device's matrix-product rate that it reaches.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "Examples:", "  walsh bench train --device cpu --model 124M --batch 4 --length 64",
    "  walsh bench train --model 124M --projection dense,hadamard --batch 32"})
public final class BenchTrainCommand implements Callable<Integer> {
  @Option(names = "--model", paramLabel = "PRESET|FILE.json", defaultValue = "124M", description = "The shape (default: ${DEFAULT-VALUE}).")
  private String model = "";

  @Option(names = "--projection", paramLabel = "NAME", split = ",", defaultValue = "dense,hadamard", description = "The output projections (default: ${DEFAULT-VALUE}).")
  private List<String> projections = List.of();

  @Option(names = "--batch", paramLabel = "B", defaultValue = "4", description = "Sequences of a step (default: ${DEFAULT-VALUE}).")
  private int batch;

  @Option(names = "--length", paramLabel = "T", description = "Tokens of a sequence; the model's context by default.")
  private int length;

  @Option(names = "--steps", paramLabel = "N", defaultValue = "10", description = "Steps that are timed (default: ${DEFAULT-VALUE}).")
  private int steps;

  @Mixin
  private DeviceOptions compute = new DeviceOptions();

  @Spec
  private CommandSpec spec = CommandSpec.create();

  /** A row of the result line. */
  private record Row(String projection, double ms, double forwardMs, double backwardMs, double optimizerMs, double tokensPerSecond,
      double mfu,
      double lossError) {}

  @Override
  public Integer call() {
    var device = compute.device();
    var dtype = compute.dtype(device);
    var banner = Hardware.probe().banner(device.toString());
    var say = spec.commandLine().getErr();
    say.println(banner);
    say.flush();
    var rates = Rates.measure(device.toString());
    double peak = dtype == Dtype.BF16 ? rates.bfloat16() : rates.float32();
    var shape = ModelConfig.parse(model);
    int tokens = length == 0 ? shape.context() : length;
    var rows = new ArrayList<Row>();
    var table = Table.of(model + ", " + batch + " × " + tokens + " tokens, " + dtype, Column.text("projection"),
        Column.number("step", "ms"), Column.number("forward", "ms"), Column.number("backward", "ms"), Column.number("optimizer", "ms"),
        Column.number("speed", "tokens/s"), Column.number("MFU"), Column.number("memory"));
    for (var name : projections) {
      var usual = Recipe.of(shape, Long.MAX_VALUE / 2, true);
      var recipe = new TrainConfig(usual.tokens(), batch * tokens, batch, tokens, usual.learningRate(), usual.finalLearningRate(),
          usual.warmup(), usual.beta1(), usual.beta2(), usual.weightDecay(), usual.clip(), 0);
      var result = TrainBenchmark.run(shape.withContext(tokens).with(Projection.named(name)), recipe, device, dtype, steps);
      double speed = recipe.batchTokens() / result.seconds();
      double share = result.flopsAStep() / result.seconds() / peak;
      rows.add(new Row(name, 1e3 * result.seconds(), 1e3 * result.forward(), 1e3 * result.backward(), 1e3 * result.optimizer(), speed,
          share, result.lossError()));
      table = table.row(Cell.of(name), Cell.of(1e3 * result.seconds(), Format.PLAIN), Cell.of(1e3 * result.forward(), Format.PLAIN),
          Cell.of(1e3 * result.backward(), Format.PLAIN), Cell.of(1e3 * result.optimizer(), Format.PLAIN),
          Cell.of(speed, Format.PLAIN), Cell.of(new Span("%.0f%%".formatted(100 * share), share)),
          Cell.of(result.footprint().total(), Format.BYTES));
    }
    print(table, rows, rates, banner, dtype, tokens);
    return 0;
  }

  private void print(Table table, List<Row> rows, Rates rates, String banner, Dtype dtype, int tokens) {
    var to = spec.commandLine().getOut();
    to.println(table.toText(spec.commandLine().getUsageHelpWidth()));
    to.printf("GEMM rate %.0f GFLOP/s in bf16, %.0f in float32; the process held at most %s.%n", rates.bfloat16() / 1e9,
        rates.float32() / 1e9, Format.BYTES.text(PeakMemory.bytes()));
    var line = new LinkedHashMap<String, Object>();
    line.put("bench", "train");
    line.put("model", model);
    line.put("batch", batch);
    line.put("length", tokens);
    line.put("dtype", dtype.toString());
    line.put("gemm_gflops", (dtype == Dtype.BF16 ? rates.bfloat16() : rates.float32()) / 1e9);
    line.put("peak_rss_mib", PeakMemory.bytes() / (1 << 20));
    line.put("rows", rows);
    line.put("stamp", Stamp.now(banner, spec.commandLine().getParent().getParent().getParseResult().originalArgs()));
    to.println(Json.LINE.writeValueAsString(line));
    to.flush();
  }
}
