package dev.walsh.cli;

import dev.walsh.config.Json;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Table;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code walsh info}: what a run is, what its model costs, and how far it came. */
@Command(name = "info", description = "Shows a run: its model part by part, its memory, its history.", mixinStandardHelpOptions = true, footer = {
    "", "The run may still be in progress."})
public final class InfoCommand implements Callable<Integer> {
  private static final int WIDTH = 100;

  @Parameters(paramLabel = "RUN", description = "The folder of a run.")
  private Path run = Path.of("");

  @Option(names = "--json", description = "Print one line of JSON.")
  private boolean json;

  @Spec
  private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() {
    var info = RunInfo.of(run);
    var out = spec.commandLine().getOut();
    if (json) {
      out.println(Json.LINE.writeValueAsString(info));
    } else {
      var tables = List.of(model(info), parts(info), memory(info), history(info), checkpoints(info));
      out.print(String.join("\n", tables.stream().map(table -> table.toText(WIDTH)).toList()));
    }
    out.flush();
    return 0;
  }

  private static Table model(RunInfo info) {
    var model = info.plan().model();
    var training = info.plan().training();
    var table = pairs("run", info.run())
        .row(Cell.of("model"), Cell.of(String.format(Locale.ROOT, "%d layers, width %,d, %d heads, MLP %,d, context %,d",
            model.layers(), model.width(), model.heads(), model.hidden(), model.context())))
        .row(Cell.of("attention"), Cell.of(model.attentionInWords()));
    if (info.hadamard() != null) table = table.row(Cell.of("H_d"), Cell.of(info.hadamard()));
    return table
        .row(Cell.of("tokenizer"), Cell.of(String.format(Locale.ROOT, "%s, %,d ids, padded to %,d",
            info.tokenizer() == null ? "unknown until the first checkpoint" : info.tokenizer(), model.vocabulary(),
            model.paddedVocabulary())))
        .row(Cell.of("data"), Cell.of(info.plan().data()))
        .row(Cell.of("training"),
            Cell.of(String.format(Locale.ROOT, "%,d tokens in steps of %,d, sequences of %,d, learning rate %s, %s, seed %d%s",
                training.tokens(), training.batchTokens(), training.length(),
                BigDecimal.valueOf(training.learningRate()).stripTrailingZeros().toPlainString(),
                info.plan().dtype(),
                training.seed(), info.plan().execution().recompute() ? ", recomputing" : "")));
  }

  private static Table parts(RunInfo info) {
    var cost = info.cost();
    var table = Table.of("Per token, in sequences of " + info.plan().training().length(), Column.text("part"), Column.number("parameters"),
        Column.number("share", "%"), Column.number("forward", "FLOPs"), Column.number("training step", "FLOPs"),
        Column.number("kept", "elements"));
    for (var part : cost.parts()) {
      var name = part.name().startsWith("of which") ? "  " + part.name() : part.name();
      table = part(table, name, part, cost.parameters());
    }
    var whole = new RunInfo.Part("whole model", cost.parameters(), cost.forwardFlops(), cost.trainingFlops(), cost.kept());
    return part(table, whole.name(), whole, cost.parameters());
  }

  private static Table part(Table table, String name, RunInfo.Part part, long all) {
    return table.row(Cell.of(name), Cell.of(count(part.parameters())),
        Cell.of(String.format(Locale.ROOT, "%.1f", 100.0 * part.parameters() / all)), Cell.of(part.forwardFlops(), Format.COUNT),
        Cell.of(part.trainingFlops(), Format.COUNT), Cell.of(part.kept(), Format.COUNT));
  }

  private static Table memory(RunInfo info) {
    var memory = info.memory();
    return pairs("memory", "").row(Cell.of("weights in float32"), Cell.of(memory.weights(), Format.BYTES))
        .row(Cell.of("optimizer"), Cell.of(memory.optimizer(), Format.BYTES))
        .row(Cell.of("all of training"), memory.training() == null ? Cell.none() : Cell.of(memory.training(), Format.BYTES));
  }

  private static Table history(RunInfo info) {
    var history = info.history();
    var steps = count(info.plan().training().steps());
    if (history == null) return pairs("history", "").row(Cell.of("steps"), Cell.of("none yet, of " + steps));
    var loss = history.loss();
    return pairs("history", "").row(Cell.of("steps"), Cell.of(count(history.step()) + " of " + steps))
        .row(Cell.of("tokens"), Cell.of(history.tokens(), Format.COUNT))
        .row(Cell.of("time in steps"), Cell.of(history.seconds(), Format.SECONDS))
        .row(Cell.of("tokens a second"), Cell.of(history.tokensPerSecond(), Format.COUNT))
        .row(Cell.of("last training loss"), loss == null ? Cell.none() : Cell.of(Format.PLAIN.text(loss) + " nats a token"))
        .row(Cell.of("last validation loss"), validation(history.last()))
        .row(Cell.of("best validation loss"), validation(history.best()));
  }

  private static Cell validation(RunInfo.@Nullable Validation validation) {
    if (validation == null) return Cell.none();
    var bits = validation.bitsPerByte();
    return Cell.of(Format.PLAIN.text(validation.loss()) + " nats a token, "
        + (bits == null ? "" : Format.PLAIN.text(bits) + " bits a byte, ") + "at step " + count(validation.step()));
  }

  private static Table checkpoints(RunInfo info) {
    var table = Table.of("", Column.text("checkpoint"), Column.number("validation loss", "nats/token"), Column.number("on disk"));
    for (var saved : info.checkpoints()) {
      var loss = saved.validationLoss();
      table = table.row(Cell.of("step " + count(saved.step())), loss == null ? Cell.none() : Cell.of(loss, Format.PLAIN),
          Cell.of(saved.bytes(), Format.BYTES));
    }
    return info.checkpoints().isEmpty() ? table.row(Cell.of("none yet"), Cell.none(), Cell.none()) : table;
  }

  private static String count(long count) {
    return String.format(Locale.ROOT, "%,d", count);
  }

  /** A table of names and what they stand for. */
  private static Table pairs(String name, String what) {
    return Table.of("", Column.text(name), Column.text(what));
  }
}
