package dev.walsh.cli;

import dev.walsh.checkpoint.Choice;
import dev.walsh.checkpoint.SavedModel;
import dev.walsh.config.Json;
import dev.walsh.config.UserError;
import dev.walsh.eval.Evaluation;
import dev.walsh.eval.ItemResult;
import dev.walsh.eval.LanguageModel;
import dev.walsh.eval.Task;
import dev.walsh.eval.TaskResult;
import dev.walsh.eval.Tasks;
import dev.walsh.files.Disk;
import dev.walsh.measure.Hardware;
import dev.walsh.measure.Progress;
import dev.walsh.measure.Stamp;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.train.Interruption;
import java.io.ByteArrayOutputStream;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

import static java.nio.charset.StandardCharsets.UTF_8;

/** {@code walsh eval}: a trained model on tasks. */
@Command(name = "eval", description = "Scores a trained model on tasks, by the definitions of lm-evaluation-harness, without examples in the prompt.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "Tasks: piqa, hellaswag, openbookqa, arc_easy, lambada, blimp, wikitext2, or all of them; and files of your own, plain or packed:",
    "JSON lines with query, choices and gold, with context and continuation, or with text; or plain text (.txt).",
    "A table goes to standard output, and behind it one line of JSON.", "", "Examples:",
    "  walsh eval runs/h124 --tasks piqa,hellaswag,lambada", "  walsh eval runs/h124 --tasks all --tasks-dir data/tasks --out h124.json",
    "  walsh eval runs/h124 --tasks wikitext2 --weights int8",
    "  walsh eval runs/nano --tasks exam.jsonl --items answers.jsonl"})
public final class EvalCommand implements Callable<Integer> {
  private static final int INTERRUPTED = 130;
  private static final int WIDTH = 100;
  private static final String NORMALISATION = "acc_norm divides the log-likelihood of a choice by its bytes in UTF-8";

  @Parameters(paramLabel = "RUN", description = "The folder of a run, or of one of its checkpoints.")
  private Path run = Path.of("");

  @Option(names = "--tasks", paramLabel = "NAME|FILE", split = ",", required = true, description = "What to score it on.")
  private List<String> names = List.of();

  @Option(names = "--tasks-dir", paramLabel = "DIR", description = "The folder with the tasks' data; $WALSH_DATA/tasks by default.")
  private @Nullable Path folder;

  @Option(names = "--limit", paramLabel = "N", description = "Score only the first N items of each set.")
  private @Nullable Integer limit;

  @Option(names = "--step", paramLabel = "N|best|latest", defaultValue = "latest", description = "Which checkpoint of the run (default: ${DEFAULT-VALUE}).")
  private String step = "";

  @Option(names = "--weights", paramLabel = "full|int8", defaultValue = "full", description = "Whether matrices have the model's dtype, or bytes (default: ${DEFAULT-VALUE}).")
  private String weights = "";

  @Option(names = "--batch-tokens", paramLabel = "N", converter = CountConverter.class, description = "Tokens that the model reads at a time; fewer need less memory.")
  private @Nullable Long batchTokens;

  @Option(names = "--out", paramLabel = "FILE.json", description = "Write the line of JSON to a file, too.")
  private @Nullable Path out;

  @Option(names = "--items", paramLabel = "FILE.jsonl", description = "Write what the model said of each item, a line each.")
  private @Nullable Path itemsFile;

  @Mixin
  private DeviceOptions compute = new DeviceOptions();

  @Spec
  private CommandSpec spec = CommandSpec.create();

  /**
   * The line of JSON.
   *
   * @param prefixToken the token that stands before what has no context
   * @param limit the most items of a set that were scored; null for all
   * @param notes what a reader of a task's scores must know, by its name
   */
  private record Result(String run, long step, int context, String tokenizer, int prefixToken, String normalisation, String dtype,
      String weights, @Nullable Integer limit, List<TaskResult> tasks, Map<String, String> notes, Stamp stamp) {}

  @Override
  public Integer call() {
    if (limit != null && limit < 1) throw new UserError("--limit is " + limit + "; it must be at least 1");
    if (batchTokens != null && (batchTokens < 1 || batchTokens > Integer.MAX_VALUE))
      throw new UserError("--batch-tokens is " + batchTokens + "; it must be at least 1 and below 2^31");
    KernelBench.requireJson(out);
    if (itemsFile != null && !itemsFile.toString().endsWith(".jsonl")) throw new UserError("--items " + itemsFile + " must end in .jsonl");
    boolean int8 = DeviceOptions.int8(weights);
    var err = spec.commandLine().getErr();
    var saved = SavedModel.find(run, Choice.parse(step), warning -> err.println("walsh: " + warning));
    var tasks = tasks();
    var device = compute.device();
    var dtype = compute.dtype(device);
    var banner = Hardware.probe().banner(device.toString());
    err.println(banner);
    err.printf(Locale.ROOT, "model   step %,d of %s, %s%s, context %,d; tokenizer %s, prefix token %d (end of text)%n",
        saved.state().step(),
        run,
        dtype, int8 ? " with matrices in bytes" : "", saved.state().model().context(), saved.tokenizer().name(),
        saved.tokenizer().endOfText());
    err.flush();
    var said = new ByteArrayOutputStream();
    try (var interruption = Interruption.listen(); var loaded = saved.load(device, dtype, int8)) {
      var results = score(saved, loaded, device, tasks, interruption, said);
      if (results == null) {
        err.println("Interrupted; nothing was written.");
        return INTERRUPTED;
      }
      report(result(saved, dtype, tasks, results, banner), said);
    }
    return 0;
  }

  private List<Task> tasks() {
    var tasks = Tasks.open(folder == null ? Tasks.folder() : folder, names);
    return limit == null ? tasks : tasks.stream().map(task -> task.first(limit)).toList();
  }

  /** Null where it was interrupted. */
  private @Nullable List<TaskResult> score(SavedModel saved, SavedModel.Loaded loaded, Device device, List<Task> tasks,
      Interruption interruption, ByteArrayOutputStream said) {
    var model = batchTokens == null
        ? new LanguageModel(loaded.model(), saved.tokenizer(), device)
        : new LanguageModel(loaded.model(), saved.tokenizer(), device, batchTokens.intValue());
    try (var progress = Progress.start("eval", "requests", tasks.stream().mapToLong(Task::requests).sum())) {
      return Evaluation.run(model, tasks, progress, interruption::isRequested, item -> say(item, said));
    } catch (CancellationException interrupted) {
      return null;
    }
  }

  private void say(ItemResult item, ByteArrayOutputStream said) {
    if (itemsFile != null) said.writeBytes((Json.LINE.writeValueAsString(item) + "\n").getBytes(UTF_8));
  }

  private Result result(SavedModel saved, Dtype dtype, List<Task> tasks, List<TaskResult> results, String banner) {
    var notes = new LinkedHashMap<String, String>();
    for (var task : tasks) {
      if (task.note() != null) notes.put(task.name(), task.note());
    }
    var state = saved.state();
    return new Result(run.toString(), state.step(), state.model().context(), state.tokenizer(), saved.tokenizer().endOfText(),
        NORMALISATION, dtype.toString(), weights, limit, results, notes,
        Stamp.now(banner, spec.root().commandLine().getParseResult().originalArgs()));
  }

  private void report(Result result, ByteArrayOutputStream said) {
    if (itemsFile != null) Disk.write(itemsFile, said.toByteArray());
    KernelBench.write(out, result);
    var to = spec.commandLine().getOut();
    for (var table : EvalTable.of(result.tasks())) to.println(table.toText(WIDTH));
    to.println("± is one standard error. " + NORMALISATION + ".");
    result.notes().forEach((task, note) -> to.println(task + ": " + note + "."));
    to.println(Json.LINE.writeValueAsString(result));
    to.flush();
  }
}
