package dev.walsh.cli;

import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import dev.walsh.measure.Hardware;
import dev.walsh.study.cells.CellStore;
import dev.walsh.study.cells.LearningRates;
import dev.walsh.study.cells.Place;
import dev.walsh.study.cells.StudyRun;
import dev.walsh.study.findings.StudyReport;
import dev.walsh.study.plan.Cell;
import dev.walsh.study.plan.StudyPlan;
import dev.walsh.train.Interruption;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code walsh study}: arms × sizes × budgets × learning rates × seeds, by a plan. */
@Command(name = "study", description = "Trains and evaluates all cells of a plan: arms × sizes × budgets × learning rates × seeds.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "A finished cell is never trained again. Several processes may share DIR, on one machine or on many: each takes the next cell"
        + " that nobody has. On a machine of several GPUs start one process a GPU, each with its CUDA_VISIBLE_DEVICES.",
    "", "Examples:", "  walsh study plans/smoke.json --out runs/smoke",
    "  walsh study plans/paper.json --data data --tasks-dir tasks --out runs/paper --dry-run",
    "  walsh study plans/paper.json --data data --tasks-dir tasks --out runs/paper --only arms-51M --minutes 55"})
public final class StudyCommand implements Callable<Integer> {
  private static final int INTERRUPTED = 130;

  @Parameters(paramLabel = "PLAN.json", description = "What to train; plans/ holds examples.")
  private Path file = Path.of("");

  @Option(names = "--out", paramLabel = "DIR", required = true, description = "The study's folder.")
  private Path out = Path.of("");

  @Option(names = "--data", paramLabel = "DIR", description = "The folder that the plan's datasets lie in; that of the plan by default.")
  private @Nullable Path data;

  @Option(names = "--tasks-dir", paramLabel = "DIR", description = "The folder with the tasks' data; $WALSH_DATA/tasks by default.")
  private @Nullable Path tasksFolder;

  @Option(names = "--only", paramLabel = "GROUP", split = ",", description = "Groups of the plan to train; all by default.")
  private Set<String> only = Set.of();

  @Option(names = "--minutes", paramLabel = "M", description = "Take no cell that would not be done within so many minutes.")
  private @Nullable Double minutes;

  @Option(names = "--keep-weights", description = "Keep the weights of each cell, as a run's folder beside its record.")
  private boolean keepWeights;

  @Option(names = "--dry-run", description = "List the cells and which are finished, and train none.")
  private boolean dryRun;

  @Option(names = "--report-only", description = "Make the report of what is in DIR, and train nothing.")
  private boolean reportOnly;

  @Mixin
  private DeviceOptions compute = new DeviceOptions();

  @Spec
  private CommandSpec spec = CommandSpec.create();

  @Override
  public Integer call() throws InterruptedException {
    if (minutes != null && !(minutes > 0)) throw new UserError("--minutes is " + minutes + "; it must be positive");
    if (reportOnly) {
      report(spec.commandLine().getOut());
      return 0;
    }
    var plan = StudyPlan.read(file);
    var cells = plan.cellsOf(only);
    var store = new CellStore(out);
    if (dryRun) {
      list(plan, cells, store, spec.commandLine().getOut());
      return 0;
    }
    var say = spec.commandLine().getErr();
    var device = compute.device();
    var place = new Place(device, compute.dtype(device), Hardware.probe().banner(device.toString()),
        spec.commandLine().getParent().getParseResult().originalArgs());
    var job = new StudyJob(plan, StudyPlan.bytes(file), Disk.parent(file), data, tasksFolder, out);
    try (var interruption = Interruption.listen()) {
      var outcome = job.run(cells, place, keepWeights, minutes == null ? Double.POSITIVE_INFINITY : minutes, interruption, say);
      report(outcome, cells.size(), spec.commandLine().getOut());
      report(spec.commandLine().getOut());
      return outcome.interrupted() ? INTERRUPTED : 0;
    }
  }

  private static void list(StudyPlan plan, List<Cell> cells, CellStore store, PrintWriter to) {
    var rates = new LearningRates(plan, store);
    for (var cell : cells) {
      var record = store.find(cell);
      var rate = rates.of(cell);
      to.printf(Locale.ROOT, "%-60s %,14d tokens  %-22s %s%n", cell.id(), cell.group().tokens(),
          rate == null ? "lr best of " + cell.group().bestOf() : String.format(Locale.ROOT, "lr %.2g", rate.rate()),
          record == null ? "" : record.diverged() == null ? "finished" : "diverged");
    }
    to.printf("%d cells, %d finished%n", cells.size(), cells.stream().filter(cell -> store.find(cell) != null).count());
    to.flush();
  }

  private void report(StudyRun.Outcome outcome, int cells, PrintWriter to) {
    to.printf("%d of %d cells are finished%n", outcome.finished(), cells);
    if (outcome.busy() > 0) to.printf("%d are being trained by other processes%n", outcome.busy());
    if (outcome.tooLong() > 0) to.printf("%d would not have fitted into --minutes%n", outcome.tooLong());
    if (outcome.waiting() > 0) to.printf("%d take their learning rate from groups that have not finished%n", outcome.waiting());
    if (outcome.finished() < cells) to.println("Go on with the same command; what is finished stays.");
    to.flush();
  }

  private void report(PrintWriter to) {
    var report = StudyReport.read(out);
    var page = report.writeTo(out);
    to.println();
    to.println(report.claims().toText(spec.commandLine().getUsageHelpWidth()));
    to.println(report.summary());
    to.println();
    to.println("Report: " + page);
    to.flush();
  }
}
