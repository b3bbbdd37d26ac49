package dev.walsh.cli;

import dev.walsh.checkpoint.Choice;
import dev.walsh.checkpoint.SavedModel;
import dev.walsh.config.Json;
import dev.walsh.config.UserError;
import dev.walsh.generate.PathAgreement;
import dev.walsh.measure.Hardware;
import dev.walsh.measure.Stamp;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Table;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code walsh bench agreement}: whether every way to read a text finds the same tokens likeliest. */
@Command(name = "agreement", description = "Whether a trained model finds the same tokens likeliest on each way: a text at once, in chunks, token by token, and on the GPU as a graph.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "The gap of a miss is the distance of the two largest logits of the whole pass there: rounding decides where it is small.", "",
    "Examples:", "  walsh bench agreement runs/124M --dtype f32", "  walsh bench agreement runs/124M --dtype bf16 --text book.txt"})
public final class BenchAgreementCommand implements Callable<Integer> {
  @Parameters(paramLabel = "RUN", description = "The folder of a run, or of one of its checkpoints.")
  private Path run = Path.of("");

  @Option(names = "--text", paramLabel = "FILE", description = "A text in UTF-8; what the model makes up itself, by default.")
  private @Nullable Path text;

  @Option(names = "--positions", paramLabel = "N", defaultValue = "1000", description = "How many tokens to ask at, at least (default: ${DEFAULT-VALUE}).")
  private int positions;

  @Option(names = "--weights", paramLabel = "full|int8", defaultValue = "full", description = "Whether matrices have the model's dtype, or bytes (default: ${DEFAULT-VALUE}).")
  private String weights = "";

  @Option(names = "--out", paramLabel = "FILE.json", description = "Writes the results there.")
  private @Nullable Path out;

  @Mixin
  private DeviceOptions compute = new DeviceOptions();

  @Spec
  private CommandSpec spec = CommandSpec.create();

  /** The result line. */
  private record Line(String bench, String dtype, String weights, List<Way> ways, Stamp stamp) {}

  private record Way(String name, int positions, double agreement, double largest_gap, List<PathAgreement.Miss> misses) {}

  @Override
  public Integer call() throws InterruptedException {
    if (positions < 1) throw new UserError("--positions is " + positions + "; give at least 1");
    KernelBench.requireJson(out);
    boolean int8 = DeviceOptions.int8(weights);
    var saved = SavedModel.find(run, new Choice.Latest(), warning -> spec.commandLine().getErr().println("walsh: " + warning));
    var device = compute.device();
    var dtype = compute.dtype(device);
    List<PathAgreement.Path> paths;
    try (var loaded = saved.load(device, dtype, int8)) {
      var model = loaded.model();
      paths = PathAgreement.measure(model, text == null
          ? PathAgreement.ownText(model, saved.tokenizer().endOfText(), positions, 1)
          : PathAgreement.windows(model, saved.tokenizer().encode(read(text)), positions));
    }
    var table = Table.of("The likeliest token against the whole pass, " + dtype, Column.text("way"), Column.number("positions"),
        Column.number(
            "misses"),
        Column.number("agreement"), Column.number("largest gap", "of a miss"));
    for (var path : paths) {
      table = table.row(Cell.of(path.name()), Cell.of(Integer.toString(path.positions())), Cell.of(Integer.toString(path.misses().size())),
          Cell.of(
              path.agreement(), Format.PLAIN),
          Cell.of(path.largestGap(), Format.PLAIN));
    }
    var banner = Hardware.probe().banner(device.toString());
    var line = new Line("agreement", dtype.toString(), weights, paths.stream().map(path -> new Way(path.name(), path.positions(), path
        .agreement(), path.largestGap(), path.misses())).toList(),
        Stamp.now(banner, spec.root().commandLine().getParseResult().originalArgs()));
    var to = spec.commandLine().getOut();
    to.println(table.toText(spec.commandLine().getUsageHelpWidth()));
    to.println(Json.LINE.writeValueAsString(line));
    to.flush();
    KernelBench.write(out, line);
    return 0;
  }

  private static byte[] read(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new UserError("Cannot read --text " + file + "; give a file that exists and may be read", e);
    }
  }
}
