package dev.walsh.study.cells;

import dev.walsh.eval.Task;
import dev.walsh.measure.Progress;
import dev.walsh.study.Sizes;
import dev.walsh.study.plan.Cell;
import dev.walsh.study.plan.StudyPlan;
import dev.walsh.tensor.Device;
import dev.walsh.train.Interruption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CancellationException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A study while it runs: the cells of a plan in their order, each claimed, trained, evaluated and kept. Any number of such runs may share a
 * folder; a cell that is finished is never trained again, and one that was cut off is trained from the start.
 */
public final class StudyRun {
  private static final long WAIT_MILLIS = 2000;

  /**
   * How a run ended.
   *
   * @param finished cells of those asked for that have a record now
   * @param busy cells that other processes are training
   * @param tooLong cells that would not have fitted the time left
   * @param waiting cells whose learning rate depends on cells that have not finished
   * @param interrupted whether the user stopped it
   */
  public record Outcome(int finished, int busy, int tooLong, int waiting, boolean interrupted) {}

  private final StudyPlan plan;
  private final List<Cell> cells;
  private final CellStore store;
  private final Corpora corpora;
  private final List<Task> tasks;
  private final Place place;
  private final boolean keepWeights;
  private final double deadline;
  private final Consumer<String> say;
  private final LearningRates rates;
  private @Nullable CellRecord last;

  /**
   * @param cells of the plan that this run is to train
   * @param tasks all that the plan names
   * @param minutes after which no cell should still be training; infinity for no bound
   * @param say receives a line a cell
   */
  public StudyRun(StudyPlan plan, List<Cell> cells, CellStore store, Corpora corpora, List<Task> tasks, Place place,
      boolean keepWeights, double minutes, Consumer<String> say) {
    this.plan = plan;
    this.cells = List.copyOf(cells);
    this.store = store;
    this.corpora = corpora;
    this.tasks = List.copyOf(tasks);
    this.place = place;
    this.keepWeights = keepWeights;
    this.say = say;
    deadline = now() + minutes * 60;
    rates = new LearningRates(plan, store);
  }

  private static double now() {
    return System.nanoTime() * 1e-9;
  }

  /** Takes cells until none is left that this run may take. */
  public Outcome run(Interruption interruption) throws InterruptedException {
    while (true) {
      int finished = 0;
      int busy = 0;
      int tooLong = 0;
      int waiting = 0;
      boolean progressed = false;
      for (int i = 0; i < cells.size() && !progressed && !interruption.isRequested(); i++) {
        var cell = cells.get(i);
        var rate = store.isFinished(cell) ? null : rates.of(cell);
        if (store.isFinished(cell)) {
          finished++;
        } else if (rate == null) {
          waiting++;
        } else if (!fits(cell, rate.rate())) {
          tooLong++;
        } else {
          progressed = claimed(cell, i, rate, interruption);
          if (!progressed && !interruption.isRequested()) busy++;
        }
      }
      if (interruption.isRequested()) {
        return new Outcome((int) cells.stream().filter(store::isFinished).count(), busy, tooLong, waiting, true);
      }
      if (progressed) continue;
      // Others may finish what a learning rate depends on.
      if (waiting == 0 || busy == 0 || now() > deadline) return new Outcome(finished, busy, tooLong, waiting, false);
      Thread.sleep(WAIT_MILLIS);
    }
  }

  /** Trains a cell unless another process has it; true where it has a record now. */
  private boolean claimed(Cell cell, int index, LearningRates.Chosen rate, Interruption interruption) {
    try (var claim = Claim.take(store.claim(cell))) {
      if (claim == null) return false;
      return store.isFinished(cell) || train(cell, index, rate, interruption);
    }
  }

  private boolean train(Cell cell, int index, LearningRates.Chosen rate, Interruption interruption) {
    double start = now();
    var nth = (index + 1) + " of " + cells.size();
    try (var run = new CellRun(cell, rate.rate(), corpora, place)) {
      boolean complete;
      try (var progress = Progress.start("cell " + nth, "steps", run.steps())) {
        progress.note(cell.id());
        complete = run.train(interruption, progress);
      }
      if (!complete) return false;
      var losses = run.validate();
      var asked = tasks.stream().filter(task -> cell.group().tasksOrNone().contains(task.name())).toList();
      var scores = run.evaluate(asked, interruption);
      var record = new CellRecord(cell.id(), cell.group().name(), cell.arm(), cell.seed(), run.arm().model(), run.recipe(), rate.from(),
          place.dtype().toString(), corpora.facts(), run.sizes(), run.tokensPerSecond(), run.seconds(), now() - start, run.memory(),
          run.diverged(), run.trainLoss(), losses, scores, place.stamp());
      if (keepWeights && record.diverged() == null) run.save(store.weights(cell), record.loss(), say);
      store.write(cell, record, run.curve());
      last = record;
      say.accept("cell " + nth + "  " + summary(record));
      return true;
    } catch (CancellationException interrupted) {
      return false;
    }
  }

  private static String summary(CellRecord record) {
    var diverged = record.diverged();
    var loss = diverged == null
        ? String.format(Locale.ROOT, "%.4f nats a token of %s", record.loss(), record.data().main())
        : "diverged at step " + diverged.step();
    return String.format(Locale.ROOT, "%s  %s, %,.0f tokens/s, %.0f s", record.id(), loss, record.tokensPerSecond(), record.wallSeconds());
  }

  private boolean fits(Cell cell, double learningRate) {
    double left = deadline - now();
    if (left == Double.POSITIVE_INFINITY) return true;
    return left > 0 && seconds(cell, learningRate) <= left;
  }

  /**
   * What a cell would take: what its like took, or the last cell of this run in proportion to the operations; nothing where neither is known.
   */
  private double seconds(Cell cell, double learningRate) {
    var like = new ArrayList<CellRecord>();
    for (var other : plan.cells()) {
      if (!other.group().equals(cell.group()) || !other.arm().equals(cell.arm())) continue;
      var record = store.find(other);
      if (record != null && record.diverged() == null && record.stamp().device().equals(place.banner())) like.add(record);
    }
    if (!like.isEmpty()) return like.stream().mapToDouble(CellRecord::wallSeconds).max().orElseThrow();
    if (last == null) return 0;
    var recipe = cell.group().recipe(learningRate, cell.seed(), place.device() == Device.CPU);
    var sizes = Sizes.of(cell.group().arm(cell.arm(), corpora.tokenizer().vocabulary()).model(), recipe, place.dtype());
    return last.wallSeconds() * recipe.tokens() * sizes.flopsAToken() / (last.training().tokens() * last.sizes().flopsAToken());
  }
}
