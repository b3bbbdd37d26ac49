package dev.walsh.study.cells;

import dev.walsh.eval.Score;
import dev.walsh.eval.TaskResult;
import dev.walsh.measure.Stamp;
import dev.walsh.study.Sizes;
import dev.walsh.study.plan.Cell;
import dev.walsh.study.plan.StudyPlan;
import dev.walsh.tensor.Dtype;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A study's folder whose losses a formula gives instead of training, for tests of what is read out of one. */
public final class MadeStudy {
  private static final int VOCABULARY = 257;
  private static final Corpora.Facts DATA = new Corpora.Facts("bytes", 1_000_000, Map.of("text", new Corpora.HeldOut(10_000, 1.0)));

  /** The loss of a cell after so many tokens; NaN for one that diverges. */
  public interface Loss {
    double of(Cell cell, double tokens);
  }

  /** What a cell reaches on a task. */
  public interface Accuracy {
    double of(Cell cell, String task);
  }

  private MadeStudy() {}

  /** Writes the plan and a record of each cell, but for those whose loss is infinite: they have not run. */
  public static StudyPlan write(Path out, String plan, double[] shares, Loss loss, Accuracy accuracy) throws IOException {
    Files.createDirectories(out);
    var read = StudyPlan.read(Files.writeString(out.resolve(StudyPlan.FILE), plan));
    var store = new CellStore(out);
    for (var cell : read.cells()) {
      if (!Double.isInfinite(loss.of(cell, cell.group().tokens()))) write(store, cell, shares, loss, accuracy);
    }
    return read;
  }

  private static void write(CellStore store, Cell cell, double[] shares, Loss loss, Accuracy accuracy) {
    var model = cell.group().arm(cell.arm(), VOCABULARY).model();
    var rate = cell.learningRate();
    var recipe = cell.group().recipe(rate == null ? 1e-3 : rate, cell.seed(), true);
    var sizes = Sizes.of(model, recipe, Dtype.F32);
    double speed = 1e12 / sizes.flopsAToken();
    var curve = new ArrayList<Reading>();
    for (double share : shares) {
      long tokens = Math.round(share * recipe.tokens());
      double value = loss.of(cell, tokens);
      if (Double.isNaN(value)) continue;
      curve.add(new Reading(tokens / recipe.batchTokens(), tokens, tokens * sizes.flopsAToken(), tokens / speed, null,
          Map.of("text", value)));
    }
    double end = loss.of(cell, recipe.tokens());
    var diverged = Double.isNaN(end) ? new CellRecord.Divergence(7, "made so") : null;
    store.write(cell, new CellRecord(cell.id(), cell.group().name(), cell.arm(), cell.seed(), model, recipe, "the plan", "f32", DATA, sizes,
        speed, recipe.tokens() / speed, recipe.tokens() / speed, null, diverged, orNull(end), diverged == null
            ? Map.of("text", end)
            : Map
                .of(),
        diverged == null ? tasks(cell, accuracy) : List.of(), new Stamp("2026-11-22 12:00", "device cpu", "abc", "./walsh study")), curve);
  }

  private static @Nullable Double orNull(double value) {
    return Double.isNaN(value) ? null : value;
  }

  private static List<TaskResult> tasks(Cell cell, Accuracy accuracy) {
    return cell.group().tasksOrNone().stream()
        .map(task -> new TaskResult(task, "1", 400, 0, Map.of("acc", new Score(accuracy.of(cell, task), 0.025, 0.5)))).toList();
  }
}
