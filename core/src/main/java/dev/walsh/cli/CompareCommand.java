package dev.walsh.cli;

import dev.walsh.checkpoint.Choice;
import dev.walsh.checkpoint.SavedModel;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.UserError;
import dev.walsh.data.Dataset;
import dev.walsh.files.Disk;
import dev.walsh.generate.Generator;
import dev.walsh.generate.Request;
import dev.walsh.generate.Sampling;
import dev.walsh.generate.TextReader;
import dev.walsh.measure.Hardware;
import dev.walsh.measure.Stamp;
import dev.walsh.model.DecodeState;
import dev.walsh.model.Gpt;
import dev.walsh.study.Arm;
import dev.walsh.study.Comparison;
import dev.walsh.study.ComparisonRecord;
import dev.walsh.study.ComparisonReport;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.text.Tokenizer;
import dev.walsh.train.Interruption;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code walsh compare}: what replacing the attention output projection does to parameters, speed, memory and loss. */
@Command(name = "compare", description = "Trains arms side by side on the same text and says what their difference shows.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", ArmNames.HELP, "", "Without --data the text is the source code of the JDK that runs walsh, as bytes.", "", "Examples:",
    "  walsh compare",
    "  walsh compare --minutes 20 --seeds 5", "  walsh compare --data novel.txt --arms hadamard,identity --out runs/novel"})
public final class CompareCommand implements Callable<Integer> {
  private static final int INTERRUPTED = 130;
  private static final int SAMPLE_TOKENS = 240;
  private static final double SAMPLE_TEMPERATURE = 0.7;

  @Option(names = "--data", paramLabel = "DIR|TEXT", description = "A dataset, or a text or a folder of texts to take as bytes.")
  private @Nullable Path data;

  @Option(names = "--arms", paramLabel = "NAME", split = ",", defaultValue = "dense,hadamard,identity", completionCandidates = ArmNames.class, description = "What is compared, of ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}); dense is always among it.")
  private List<String> arms = List.of();

  @Option(names = "--model", paramLabel = "PRESET|FILE.json", defaultValue = "nano", description = "The shape of all arms (default: ${DEFAULT-VALUE}).")
  private String model = "";

  @Option(names = "--minutes", paramLabel = "M", defaultValue = "5", description = "Training time of all arms and seeds together (default: ${DEFAULT-VALUE}).")
  private double minutes;

  @Option(names = "--tokens", paramLabel = "N", converter = CountConverter.class, description = "Tokens of each arm instead of minutes.")
  private @Nullable Long tokens;

  @Option(names = "--seeds", paramLabel = "N", defaultValue = "1", description = "Times that each arm is trained; several show the noise (default: ${DEFAULT-VALUE}).")
  private int seeds;

  @Option(names = "--out", paramLabel = "DIR", description = "Where all goes; runs/compare-DATE-TIME by default.")
  private @Nullable Path out;

  @Mixin
  private TrainingOptions training = new TrainingOptions();

  @Mixin
  private DeviceOptions compute = new DeviceOptions();

  @Spec
  private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() throws InterruptedException {
    if (!(minutes > 0)) throw new UserError("--minutes is " + minutes + "; it must be positive");
    if (seeds < 1) throw new UserError("--seeds is " + seeds + "; it must be at least 1");
    var shape = ModelConfig.parse(model);
    var checked = Arm.of(shape, arms);
    var folder = out == null
        ? Path.of("runs", "compare-" + LocalDateTime.now().format(DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss")))
        : out;
    if (Files.exists(folder.resolve(ComparisonRecord.FILE))) {
      throw new UserError(folder + " holds a comparison already; choose another --out or delete it");
    }
    var say = spec.commandLine().getErr();
    var device = compute.device();
    var dtype = compute.dtype(device);
    var banner = Hardware.probe().banner(device.toString());
    say.println(banner);
    var text = ComparedText.of(data, folder, say);
    try (var dataset = Dataset.open(text.folder())) {
      shape = shape.withVocabulary(dataset.tokenizer().vocabulary());
      var named = Arm.of(shape, checked.stream().map(Arm::name).toList());
      var comparison = comparison(named, dataset, text, device, dtype, say);
      try (var interruption = Interruption.listen()) {
        boolean finished = comparison.run(folder, interruption, warning -> say.println("walsh: " + warning));
        record(comparison, text, dataset, finished, banner).write(folder);
        return report(folder, comparison, finished, device);
      }
    }
  }

  private Comparison comparison(List<Arm> named, Dataset dataset, ComparedText text, Device device, Dtype dtype, PrintWriter say) {
    var shape = named.getFirst().model();
    var recipe = training.recipe(shape, Long.MAX_VALUE / 2, device == Device.CPU);
    if (recipe.length() > shape.context()) {
      throw new UserError("--length " + recipe.length() + " is longer than the model's context of " + shape.context() + "; shorten it");
    }
    var comparison = new Comparison(named, recipe, seeds, dataset, text.folder(), device, dtype,
        DeviceOptions.peakFlops(device, dtype));
    if (tokens == null)
      say.printf("calibrating, so that all arms together train for %s minutes …%n", Double.toString(minutes).replaceAll("\\.0$", ""));
    say.flush();
    recipe = training.recipe(shape, tokens == null ? comparison.tokens(minutes) : tokens, device == Device.CPU);
    comparison = comparison.with(recipe);
    say.printf(Locale.ROOT, "train   %d arms × %d seeds × %,d tokens of %s, in steps of %,d, lr %.2g, %s%n", named.size(), seeds,
        comparison.recipe().tokens(), text.name(), recipe.batchTokens(), recipe.learningRate(), dtype);
    say.flush();
    return comparison;
  }

  private ComparisonRecord record(Comparison comparison, ComparedText text, Dataset dataset, boolean finished, String banner) {
    var manifest = dataset.manifest();
    double tokensAByte = manifest == null || manifest.val().bytes() == 0
        ? Double.NaN
        : (double) manifest.val().tokens() / manifest.val().bytes();
    var stamp = Stamp.now(banner, spec.commandLine().getParent().getParseResult().originalArgs());
    return new ComparisonRecord(comparison.arms(), comparison.recipe(), seeds, comparison.dtype().toString(), text.name(),
        dataset.tokenizer().name(), tokensAByte, finished, stamp);
  }

  private int report(Path folder, Comparison comparison, boolean finished, Device device) {
    var report = ComparisonReport.read(folder);
    var samples = finished ? samples(folder, comparison, device) : Map.<String, String>of();
    var page = folder.resolve("report.html");
    report.page(samples).writeTo(page);
    // For verdicts of one seed: results/compare-noise.json is such a file.
    if (finished && seeds > 1) Disk.write(folder.resolve("noise.json"), report.noise());
    var to = spec.commandLine().getOut();
    to.println();
    to.println(report.table().toText(spec.commandLine().getUsageHelpWidth()));
    samples.forEach((arm, text) -> to.printf("── %s writes ──%n%s%n%n", arm, text.strip()));
    to.println(report.verdict());
    to.println();
    to.println("Report: " + page);
    to.flush();
    return finished ? 0 : INTERRUPTED;
  }

  /** What each arm of the first seed writes, from the beginning of a document. */
  private Map<String, String> samples(Path folder, Comparison comparison, Device device) {
    var samples = new LinkedHashMap<String, String>();
    for (var arm : comparison.arms()) {
      var saved = SavedModel.find(Comparison.folder(folder, arm, 0, seeds), new Choice.Latest(), _ -> {});
      try (var loaded = saved.load(device, Dtype.F32)) {
        samples.put(arm.name(), sample(loaded.model(), saved.tokenizer()));
      }
    }
    return samples;
  }

  /** The beginning of a document. */
  private static String sample(Gpt model, Tokenizer tokenizer) {
    var text = new StringBuilder();
    int end = tokenizer.endOfText();
    var request = new Request(new int[] {end}, SAMPLE_TOKENS, end, new Sampling(SAMPLE_TEMPERATURE, 0, 1, 1, 1), 0);
    try (var state = DecodeState.of(model, 1, model.config().context(), model.device().bytesAvailable());
        var generator = new Generator(model, state, 1, 1, true)) {
      var reader = new TextReader(tokenizer, text::append);
      generator.submit(request, reader).result().join();
      reader.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return text.toString();
  }
}
