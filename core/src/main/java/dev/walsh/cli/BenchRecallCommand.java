package dev.walsh.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.walsh.config.AttentionKind;
import dev.walsh.config.Json;
import dev.walsh.files.Disk;
import dev.walsh.measure.Hardware;
import dev.walsh.measure.Stamp;
import dev.walsh.model.Gpt;
import dev.walsh.report.Axis;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Plot;
import dev.walsh.report.Series;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import dev.walsh.study.recall.AssociativeRecall;
import dev.walsh.study.recall.RecallBenchmark;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code walsh bench recall}: how much small models recall of a list of keys and values, by what they remember it by. */
@Command(name = "recall", description = "Trains small models on associative recall with many queries (arXiv 2312.04927), and says how many of a text's keys each kind of attention finds the value of, by the size of its state.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "Examples:", "  walsh bench recall --device cpu", "  walsh bench recall --attention softmax,hla:2x8,hla:1x64 --keys 4 --steps 400",
    "  walsh bench recall --device cuda --keys 8,16,32,64 --length 256 --vocabulary 1024 --width 128 --steps 8000 --lr 1e-3,2e-3,5e-3 --out recall.json"})
public final class BenchRecallCommand implements Callable<Integer> {
  private static final int TABLE_WIDTH = 120;

  @Option(names = "--attention", paramLabel = "NAME", split = ",", defaultValue = "softmax,hla:2x16,hla:2x8,hla:1x64,katharopoulos,based", description = "Kinds of attention, as 'walsh train --attention' (default: ${DEFAULT-VALUE}).")
  private List<String> attention = List.of();

  @Option(names = "--keys", paramLabel = "N", split = ",", defaultValue = "4,8", description = "Keys of a text (default: ${DEFAULT-VALUE}).")
  private List<Integer> keys = List.of();

  @Option(names = "--length", paramLabel = "T", description = "Tokens of a text; four a key, but at least 32, by default.")
  private @Nullable Integer length;

  @Option(names = "--vocabulary", paramLabel = "N", defaultValue = "64", description = "Tokens there are, half of them values (default: ${DEFAULT-VALUE}).")
  private int vocabulary;

  @Option(names = "--layers", paramLabel = "N", defaultValue = "2", description = "Layers of each model (default: ${DEFAULT-VALUE}).")
  private int layers;

  @Option(names = "--width", paramLabel = "D", defaultValue = "64", description = "Channels of each model (default: ${DEFAULT-VALUE}).")
  private int width;

  @Option(names = "--heads", paramLabel = "N", defaultValue = "2", description = "Heads of each model (default: ${DEFAULT-VALUE}).")
  private int heads;

  @Option(names = "--steps", paramLabel = "N", defaultValue = "1500", description = "Steps of training at most; a vanished loss ends it (default: ${DEFAULT-VALUE}).")
  private int steps;

  @Option(names = "--batch", paramLabel = "N", defaultValue = "64", description = "Texts of a step (default: ${DEFAULT-VALUE}).")
  private int batch;

  @Option(names = "--lr", paramLabel = "X", split = ",", defaultValue = "2e-3", description = "Peaks of the learning rate, of which the best counts (default: ${DEFAULT-VALUE}).")
  private List<Double> rates = List.of();

  @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "Of weights and texts (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Option(names = "--out", paramLabel = "FILE.json", description = "Writes the results there, and a plot beside it as FILE.svg.")
  private @Nullable Path out;

  @Mixin
  private DeviceOptions compute = new DeviceOptions();

  @Spec
  private CommandSpec spec = CommandSpec.create();

  /** A row of the result line. */
  private record Row(String attention, int keys, int length, int vocabulary, long parameters, @JsonProperty("state_bytes") long state,
      double accuracy, @JsonProperty("standard_error") double error, double guess, @JsonProperty("learning_rate") double learningRate,
      int steps, double loss, double seconds) {
    static Row of(RecallBenchmark.Row row) {
      var task = row.task();
      return new Row(row.attention(), task.pairs(), task.length(), task.vocabulary(), row.parameters(), row.state(), row.accuracy(),
          row.error(), RecallBenchmark.guess(task), row.learningRate(), row.steps(), row.loss(), row.seconds());
    }
  }

  /** The result line. */
  private record Line(String bench, String device, String dtype, RecallBenchmark recipe, List<Row> rows, Stamp stamp) {}

  @Override
  public Integer call() {
    KernelBench.requireJson(out);
    var kinds = attention.stream().map(AttentionKind::named).toList();
    var tasks = keys.stream().map(n -> new AssociativeRecall(n, length == null ? usualLength(n) : length, vocabulary)).toList();
    var bench = new RecallBenchmark(layers, width, heads, steps, batch, rates, seed);
    for (var kind : kinds) {
      // Refuses a shape and factors that cannot be before anything is trained.
      var unused = Gpt.parameters(bench.model(kind, tasks.getFirst()));
    }
    var device = compute.device();
    var dtype = compute.dtype(device);
    var banner = Hardware.probe().banner(device.toString());
    spec.commandLine().getErr().println(banner);
    spec.commandLine().getErr().flush();
    var rows = new ArrayList<RecallBenchmark.Row>();
    for (var task : tasks) {
      for (var kind : kinds) rows.add(bench.run(kind, task, device, dtype));
    }
    var stamp = Stamp.now(banner, spec.root().commandLine().getParseResult().originalArgs());
    var line = new Line("recall", device.toString(), dtype.toString(), bench, rows.stream().map(Row::of).toList(), stamp);
    var to = spec.commandLine().getOut();
    to.println(table(rows).toText(TABLE_WIDTH));
    to.println(Json.LINE.writeValueAsString(line));
    to.flush();
    KernelBench.write(out, line);
    if (out != null) {
      var picture = out.resolveSibling(out.getFileName().toString().replaceFirst("json$", "svg"));
      Disk.write(picture, plot(rows).toSvg().getBytes(StandardCharsets.UTF_8));
    }
    return 0;
  }

  private static int usualLength(int pairs) {
    return Math.max(32, AssociativeRecall.TOKENS_A_PAIR * pairs);
  }

  private static Table table(List<RecallBenchmark.Row> rows) {
    var table = Table.of("Keys whose value is recalled, with one standard error; a guess among the text's values finds one in as many as"
        + " there are keys", Column.text("attention"), Column.number("keys"), Column.number("length"), Column.number("state"),
        Column.number("recalled"), Column.number("loss", "nats"), Column.number("learning rate"), Column.number("steps"),
        Column.number("time"));
    for (var row : rows) {
      table = table.row(Cell.of(row.attention()).strong(), Cell.of(Integer.toString(row.task().pairs())),
          Cell.of(Integer.toString(row.task().length())), Cell.of(row.state(), Format.BYTES),
          Cell.of(new Span("%.1f%%".formatted(100 * row.accuracy()), row.accuracy())).note(new Span("±%.1f".formatted(100 * row.error()),
              row.error())),
          Cell.of(row.loss(), Format.PLAIN), Cell.of(Span.chosen(row.learningRate())), Cell.of(Integer.toString(row.steps())),
          Cell.of(row.seconds(), Format.SECONDS));
    }
    return table;
  }

  /** What is recalled by the number of keys. */
  private static Plot plot(List<RecallBenchmark.Row> rows) {
    var series = rows.stream().map(RecallBenchmark.Row::attention).distinct().map(name -> Series.of(name, rows.stream()
        .filter(row -> row.attention().equals(name)).map(row -> new Series.Point(row.task().pairs(), row.accuracy())).toList())).toList();
    return Plot.of("Recall by keys", Axis.log("keys", "", Format.PLAIN), Axis.linear("recalled", "", Format.PLAIN).within(0,
        KernelBench.PLOT_TOP), series);
  }
}
