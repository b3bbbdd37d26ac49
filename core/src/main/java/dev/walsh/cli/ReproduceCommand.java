package dev.walsh.cli;

import dev.walsh.config.UserError;
import dev.walsh.measure.Hardware;
import dev.walsh.measure.Stamp;
import dev.walsh.report.HtmlReport;
import dev.walsh.report.Section;
import dev.walsh.report.Table;
import dev.walsh.report.Text;
import dev.walsh.study.cells.Place;
import dev.walsh.study.findings.BesideThePaper;
import dev.walsh.study.paper.Counted;
import dev.walsh.study.paper.Inference;
import dev.walsh.study.paper.InferenceGrid;
import dev.walsh.study.paper.Measured;
import dev.walsh.study.paper.Published;
import dev.walsh.study.plan.StudyPlan;
import dev.walsh.train.Interruption;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code walsh reproduce}: the paper's tables and figures, ours beside its own. */
@Command(name = "reproduce", description = "Puts our numbers beside those of the paper's tables and figures.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "table1, table2 and fig3 are counted, exactly. table4 and fig4 come from a study at the scale that you choose: smoke trains nano"
        + " models on the JDK's sources for two minutes on a CPU; small and paper take the plans of those names, a GPU, and --data; --study"
        + " takes a study that has run. table3 and fig5 to fig8 come from what 'walsh bench decode' and 'walsh bench prefill' wrote into"
        + " --results; --scale smoke without it measures small models now.",
    "", "Examples:", "  walsh reproduce all --scale smoke", "  walsh reproduce table2", "  walsh reproduce fig6 --results results/h100",
    "  walsh reproduce table4 --study results/study",
    "  walsh reproduce fig4 --scale small --data data --tasks-dir tasks"})
public final class ReproduceCommand implements Callable<Integer> {
  private static final int INTERRUPTED = 130;
  private static final String ALL = "all";
  private static final List<String> COUNTED = List.of("table1", "table2", "fig3");
  private static final List<String> TRAINED = List.of("table4", "fig4");
  private static final List<String> TIMED = List.of("table3", "fig5", "fig6", "fig7", "fig8");

  private static final Path MEASURED = Path.of("results", "h100");

  /** The study behind what must be trained. */
  enum Scale {
    SMOKE, SMALL, PAPER;

    String plan() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Parameters(paramLabel = "WHAT", description = "table1 to table4, fig3 to fig8, or all.")
  private String what = "";

  @Option(names = "--scale", paramLabel = "smoke|small|paper", description = "How much to train for table4 and fig4, smoke by default; smoke also measures prefill and decoding of small models.")
  private @Nullable Scale asked;

  @Option(names = "--results", paramLabel = "DIR", description = "The folder with decode*.json and prefill*.json; results/h100 by default.")
  private @Nullable Path results;

  @Option(names = "--study", paramLabel = "DIR", description = "A study that has run, instead of training.")
  private @Nullable Path study;

  @Option(names = "--out", paramLabel = "DIR", description = "Where the page, tables and plots go; runs/reproduce-SCALE by default. What was trained there is not trained again.")
  private @Nullable Path out;

  @Option(names = "--data", paramLabel = "DIR", description = "The folder with the plan's datasets.")
  private @Nullable Path data;

  @Option(names = "--tasks-dir", paramLabel = "DIR", description = "The folder with the tasks' data; $WALSH_DATA/tasks by default.")
  private @Nullable Path tasksFolder;

  @Mixin
  private DeviceOptions compute = new DeviceOptions();

  @Spec
  private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() throws InterruptedException {
    var wanted = wanted();
    var folder = out == null ? Path.of("runs", "reproduce-" + scale().plan()) : out;
    var published = Published.read();
    var sections = new ArrayList<Section>();
    var counted = new Counted(published);
    if (wanted.contains("table1")) sections.add(counted.table1());
    if (wanted.contains("table2")) sections.add(counted.table2());
    if (wanted.contains("fig3")) sections.add(counted.figure3());
    if (TRAINED.stream().anyMatch(wanted::contains)) {
      var results = studied(folder);
      if (results == null) return INTERRUPTED;
      var beside = BesideThePaper.read(published, results);
      if (wanted.contains("table4")) sections.add(beside.table4());
      if (wanted.contains("fig4")) sections.add(beside.figure4());
    }
    if (TIMED.stream().anyMatch(wanted::contains)) {
      var timed = timed(published);
      if (wanted.contains("table3")) sections.add(timed.table3());
      if (wanted.contains("fig5")) sections.add(timed.figure5());
      if (wanted.contains("fig6")) sections.add(timed.figure6());
      if (wanted.contains("fig7")) sections.add(timed.figure7());
      if (wanted.contains("fig8")) sections.add(timed.figure8());
    }
    show(sections, spec.commandLine().getOut());
    write(sections, published, folder, spec.commandLine().getOut());
    return 0;
  }

  private Scale scale() {
    return asked == null ? Scale.SMOKE : asked;
  }

  private Set<String> wanted() {
    var known = Stream.of(COUNTED, TRAINED, TIMED).flatMap(List::stream).toList();
    if (what.equals(ALL)) return Set.copyOf(known);
    if (!known.contains(what)) {
      throw new UserError("'" + what + "' is no table or figure of the paper; use one of " + String.join(", ", known) + " or " + ALL);
    }
    return Set.of(what);
  }

  /** Prefill and decoding, as measured before, or now and small. */
  private Inference timed(Published published) {
    if (results == null && asked == Scale.SMOKE) {
      var device = compute.device();
      var stamp = Stamp.now(Hardware.probe().banner(device.toString()), spec.root().commandLine().getParseResult().originalArgs());
      var grid = InferenceGrid.smoke();
      return new Inference(published, grid, SmokeInference.measure(grid, device, compute.dtype(device), stamp));
    }
    if (results != null && !Files.isDirectory(results)) {
      throw new UserError("--results " + results + " is no folder; give the one that 'walsh bench decode' and 'prefill' wrote into");
    }
    return new Inference(published, InferenceGrid.paper(published), Measured.read(results == null ? MEASURED : results));
  }

  /** The folder of the study that table and figure are made of; null where it was interrupted. */
  private @Nullable Path studied(Path folder) throws InterruptedException {
    if (study != null) return study;
    var text = StudyPlan.builtIn(scale().plan());
    var plan = StudyPlan.parse(text, "the plan " + scale().plan());
    if (!plan.data().areJdkSources() && data == null) {
      throw new UserError("--scale " + scale().plan() + " trains on datasets; give --data with the folder that holds "
          + plan.data().trainFolder() + " and " + String.join(", ", plan.data().validation().values()));
    }
    var device = compute.device();
    var place = new Place(device, compute.dtype(device), Hardware.probe().banner(device.toString()),
        spec.commandLine().getParent().getParseResult().originalArgs());
    var say = spec.commandLine().getErr();
    var into = folder.resolve("study");
    try (var interruption = Interruption.listen()) {
      var outcome = new StudyJob(plan, text, folder, data, tasksFolder, into).run(plan.cells(), place, false, Double.POSITIVE_INFINITY,
          interruption, say);
      return outcome.interrupted() ? null : into;
    }
  }

  private void show(List<Section> sections, PrintWriter to) {
    for (var section : sections) {
      to.printf("── %s ──%n", section.heading());
      for (var block : section.blocks()) {
        switch (block) {
          case Table table -> to.println(table.toText(spec.commandLine().getUsageHelpWidth()));
          case Text words -> to.printf("%s%n%n", words);
          default -> {}
        }
      }
    }
  }

  private void write(List<Section> sections, Published published, Path folder, PrintWriter to) {
    var page = HtmlReport.titled("The paper's tables and figures, and ours").fact("paper", published.source());
    for (var section : sections) {
      page.section(section);
      section.writeFiles(folder.resolve("figures"));
    }
    var file = folder.resolve("reproduce.html");
    page.writeTo(file);
    to.println("Report: " + file);
    to.flush();
  }
}
