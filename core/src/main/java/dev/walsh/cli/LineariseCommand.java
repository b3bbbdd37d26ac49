package dev.walsh.cli;

import dev.walsh.checkpoint.Choice;
import dev.walsh.checkpoint.SavedModel;
import dev.walsh.config.AttentionKind;
import dev.walsh.config.Json;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.TrainConfig;
import dev.walsh.config.UserError;
import dev.walsh.data.Dataset;
import dev.walsh.measure.Hardware;
import dev.walsh.measure.Stamp;
import dev.walsh.model.Gpt;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Ranks;
import dev.walsh.train.Interruption;
import dev.walsh.train.RunPlan;
import dev.walsh.train.TrainingRun;
import dev.walsh.train.linearise.LayerReport;
import dev.walsh.train.linearise.Linearisation;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code walsh linearise}: puts linear attention into layers of a trained model. */
@Command(name = "linearise", description = "Gives layers of a trained model linear attention: trains their feature maps on what the attention of the frozen model gives, then the whole model a little, and says how much of its loss came back.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "The new run is one like any other: generate, eval, info, and train --resume take it.", "", "Examples:",
    "  walsh linearise runs/d124 --layers all --out runs/d124-hla",
    "  walsh linearise runs/d124 --layers 0-3,8 --attention hla:2x32 --match-tokens 10M --tune-tokens 50M --out runs/d124-some"})
public final class LineariseCommand implements Callable<Integer> {
  private static final int INTERRUPTED = 130;
  private static final int TEACHER_TOKENS_A_TOKEN = 20;
  private static final double MATCH_WARMUP = 0.1;

  @Parameters(index = "0", paramLabel = "RUN", description = "The folder of a run whose attention is softmax.")
  private Path run = Path.of("");

  @Option(names = "--layers", paramLabel = "LIST", defaultValue = "all", description = "Which layers, counted from 0: all, or numbers and ranges such as 0-3,8 (default: ${DEFAULT-VALUE}).")
  private String layers = "";

  @Mixin
  private AttentionOptions attention = new AttentionOptions();

  @Option(names = "--data", paramLabel = "DIR", description = "The dataset; that of RUN by default.")
  private @Nullable Path data;

  @Option(names = "--out", paramLabel = "RUN2", required = true, description = "The new run's folder.")
  private Path out = Path.of("");

  @Option(names = "--match-tokens", paramLabel = "N", converter = CountConverter.class, description = "Tokens to train feature maps on; a twentieth of what RUN was trained on by default.")
  private @Nullable Long matchTokens;

  @Option(names = "--tune-tokens", paramLabel = "N", converter = CountConverter.class, description = "Tokens to train the whole model on after that; a twentieth by default.")
  private @Nullable Long tuneTokens;

  @Option(names = "--match-lr", paramLabel = "X", defaultValue = "3e-3", description = "The peak of the learning rate of feature maps (default: ${DEFAULT-VALUE}).")
  private double matchRate;

  @Option(names = "--tune-lr", paramLabel = "X", description = "The peak of the learning rate of the whole model; a third of RUN's by default.")
  private @Nullable Double tuneRate;

  @Option(names = "--step", paramLabel = "N|best|latest", defaultValue = "latest", description = "Which checkpoint of RUN.")
  private String step = "";

  @Mixin
  private DeviceOptions compute = new DeviceOptions();

  @Spec
  private CommandSpec spec = CommandSpec.create();

  /** The result line. */
  private record Line(String command, Linearisation.Report report, double tunedLoss, @Nullable Double recovered, Stamp stamp) {}

  @Override
  public Integer call() {
    if (RunPlan.exists(out)) throw new UserError(out + " holds a run already; choose another --out");
    var kind = attention.linear();
    var teacher = RunPlan.read(run);
    var say = spec.commandLine().getErr();
    var saved = SavedModel.find(run, Choice.parse(step), warning -> say.println("walsh: " + warning));
    var chosen = chosen(saved.state().model());
    var device = compute.device();
    var plan = plan(teacher, saved, kind, chosen, compute.dtype(device));
    var banner = Hardware.probe().banner(device.toString());
    say.println(banner);
    say.printf(Locale.ROOT, "model   %s, %,d layers, width %,d%n", plan.model().attentionInWords(), plan.model().layers(),
        plan.model().width());
    say.flush();
    var matching = matching(plan.training());
    try (var interruption = Interruption.listen()) {
      var report = new Linearisation(saved.folder(), plan, chosen, matching).run(out, device, interruption,
          warning -> say.println("walsh: " + warning));
      if (report == null) {
        say.println("Stopped before the feature maps were trained; nothing was written.");
        say.flush();
        return INTERRUPTED;
      }
      say.println(table(report).toText(spec.commandLine().getUsageHelpWidth()));
      say.flush();
      return tune(plan, report, device, interruption, banner);
    }
  }

  private int tune(RunPlan plan, Linearisation.Report report, Device device, Interruption interruption, String banner) {
    double peak = DeviceOptions.peakFlops(device, Dtype.named(plan.dtype()));
    var say = spec.commandLine().getErr();
    var outcome = new TrainingRun(plan, out, device, Ranks.alone(), peak, warning -> say.println("walsh: " + warning)).run(true,
        interruption);
    var to = spec.commandLine().getOut();
    if (!outcome.finished()) {
      to.printf("Stopped at step %,d, saved. Go on with: walsh train --out %s --resume%n", outcome.step(), out);
      to.flush();
      return INTERRUPTED;
    }
    var recovered = LayerReport.recovered(report.replacedLoss(), outcome.validationLoss(), report.teacherLoss());
    to.println(losses(report, outcome.validationLoss()).toText(spec.commandLine().getUsageHelpWidth()));
    to.println(Json.LINE.writeValueAsString(new Line("linearise", report, outcome.validationLoss(), recovered,
        Stamp.now(banner, spec.commandLine().getParent().getParseResult().originalArgs()))));
    to.printf("Next: walsh generate %s --prompt \"…\"%n", out);
    to.flush();
    return 0;
  }

  /** The layers asked for, all of which are of softmax attention. */
  private List<Integer> chosen(ModelConfig model) {
    var chosen = layers.equals("all") ? IntStream.range(0, model.layers()).boxed().toList() : listed(model.layers());
    for (int layer : chosen) {
      if (!(model.attention(layer) instanceof AttentionKind.Softmax)) {
        throw new UserError(
            "layer " + layer + " of " + run + " has " + model.attention(layer) + " already; name layers of softmax attention"
                + " with --layers");
      }
    }
    return chosen;
  }

  private List<Integer> listed(int most) {
    var listed = new ArrayList<Integer>();
    for (var part : layers.split(",", -1)) {
      if (!part.matches("\\d{1,6}(-\\d{1,6})?")) {
        throw new UserError("--layers " + layers + " is no list of layers; write all, or numbers and ranges such as 0-3,8");
      }
      var ends = part.split("-");
      int first = Integer.parseInt(ends[0]);
      int last = Integer.parseInt(ends[ends.length - 1]);
      if (last >= most || first > last) {
        throw new UserError("--layers " + part + " does not lie in the model's layers 0-" + (most - 1) + "; name some of those");
      }
      IntStream.rangeClosed(first, last).forEach(listed::add);
    }
    return listed.stream().distinct().sorted().toList();
  }

  /** The new run: the teacher's recipe, but for the tokens and the learning rate. */
  private RunPlan plan(RunPlan teacher, SavedModel saved, AttentionKind kind, List<Integer> chosen, Dtype dtype) {
    var state = saved.state();
    var before = state.training();
    var kinds = IntStream.range(0, state.model().layers()).mapToObj(i -> chosen.contains(i) ? kind : state.model().attention(i)).toList();
    var model = state.model().with(AttentionKind.of(kinds));
    // Refuses factors whose state does not fit before anything is trained.
    var unused = Gpt.parameters(model);
    var text = data == null ? teacher.data() : data.toAbsolutePath().normalize().toString();
    try (var dataset = Dataset.open(Path.of(text))) {
      if (!dataset.tokenizer().name().equals(state.tokenizer())) {
        throw new UserError("--data " + text + " is of the tokenizer " + dataset.tokenizer().name() + " and " + run + " of "
            + state.tokenizer() + "; prepare the text with that one");
      }
    }
    long tokens = tuneTokens == null ? Math.max(before.batchTokens(), before.tokens() / TEACHER_TOKENS_A_TOKEN) : tuneTokens;
    double rate = tuneRate == null ? before.learningRate() / 3 : tuneRate;
    var recipe = new TrainConfig(tokens, before.batchTokens(), before.microBatch(), before.length(), rate, before.finalLearningRate(),
        before.warmup(), before.beta1(), before.beta2(), before.weightDecay(), before.clip(), before.seed());
    int every = Math.clamp(recipe.steps() / 20, 10, 250);
    return new RunPlan(model, recipe, dtype.toString(), text, data == null ? teacher.validation() : null, every, teacher.validationTokens(),
        every, teacher.keep(), teacher.recompute());
  }

  /** Feature maps are matched a pass at a time, without decay, which would take them from what they match. */
  private TrainConfig matching(TrainConfig tuning) {
    long tokens = matchTokens == null ? tuning.tokens() : matchTokens;
    return new TrainConfig(tokens, tuning.microBatch() * tuning.length(), tuning.microBatch(), tuning.length(), matchRate, 0, MATCH_WARMUP,
        tuning.beta1(), tuning.beta2(), 0, tuning.clip(), tuning.seed());
  }

  private static Table table(Linearisation.Report report) {
    var table = Table.of("Each layer replaced by itself; the difference of its output is relative to the teacher's", Column.text("layer"),
        Column.number("difference", "at first"), Column.number("difference", "trained"), Column.number("loss", "at first"),
        Column.number("loss", "trained"), Column.number("recovered"));
    for (var layer : report.layers()) {
      table = table.row(Cell.of(Integer.toString(layer.layer())).strong(), Cell.of(layer.differenceBefore(), Format.PLAIN),
          Cell.of(layer.differenceAfter(), Format.PLAIN), Cell.of(layer.lossBefore(), Format.PLAIN),
          Cell.of(layer.lossAfter(), Format.PLAIN), share(layer.recovered()));
    }
    return table;
  }

  private static Table losses(Linearisation.Report report, double tuned) {
    double teacher = report.teacherLoss();
    double replaced = report.replacedLoss();
    return Table.of("All layers of the list replaced", Column.text("model"), Column.number("validation loss", "nats/token"),
        Column.number("recovered"))
        .row(Cell.of("teacher").strong(), Cell.of(teacher, Format.PLAIN), Cell.none())
        .row(Cell.of("replaced").strong(), Cell.of(replaced, Format.PLAIN), Cell.none())
        .row(Cell.of("feature maps trained").strong(), Cell.of(report.matchedLoss(), Format.PLAIN),
            share(LayerReport.recovered(replaced, report.matchedLoss(), teacher)))
        .row(Cell.of("tuned").strong(), Cell.of(tuned, Format.PLAIN), share(LayerReport.recovered(replaced, tuned, teacher)));
  }

  private static Cell share(@Nullable Double share) {
    return share == null ? Cell.none() : Cell.of(new Span("%.0f%%".formatted(100 * share), share));
  }
}
