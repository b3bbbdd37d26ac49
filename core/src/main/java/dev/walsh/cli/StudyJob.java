package dev.walsh.cli;

import dev.walsh.config.UserError;
import dev.walsh.eval.Task;
import dev.walsh.eval.Tasks;
import dev.walsh.files.Disk;
import dev.walsh.study.cells.CellStore;
import dev.walsh.study.cells.Corpora;
import dev.walsh.study.cells.Place;
import dev.walsh.study.cells.StudyRun;
import dev.walsh.study.plan.Cell;
import dev.walsh.study.plan.StudyPlan;
import dev.walsh.study.plan.Texts;
import dev.walsh.train.Interruption;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A study about to run: a plan, what it needs from the disk, and where its results go.
 *
 * @param text of the plan's file, which stays with the results
 * @param base the folder that the plan's datasets lie in, where {@code data} is not given
 * @param data another folder for them; null for none
 * @param tasksFolder with the tasks' data; null for the usual one
 */
record StudyJob(StudyPlan plan, byte[] text, Path base, @Nullable Path data, @Nullable Path tasksFolder, Path out) {
  /** Trains cells; tasks and texts that are missing are told before anything is trained. */
  StudyRun.Outcome run(List<Cell> cells, Place place, boolean keepWeights, double minutes, Interruption interruption,
      PrintWriter say) throws InterruptedException {
    var tasks = tasks(cells);
    say.println(place.banner());
    try (var corpora = corpora(plan.data(), say)) {
      keepPlan();
      return new StudyRun(plan, cells, new CellStore(out), corpora, tasks, place, keepWeights, minutes, line -> {
        say.println(line);
        say.flush();
      }).run(interruption);
    }
  }

  private List<Task> tasks(List<Cell> cells) {
    var names = cells.stream().flatMap(cell -> cell.group().tasksOrNone().stream()).distinct().toList();
    if (names.isEmpty()) return List.of();
    try {
      return Tasks.open(tasksFolder == null ? Tasks.folder() : tasksFolder, names);
    } catch (UserError e) {
      throw new UserError("The plan's tasks: " + e.getMessage(), e);
    }
  }

  private Corpora corpora(Texts texts, PrintWriter say) throws InterruptedException {
    if (texts.areJdkSources()) {
      var prepared = ComparedText.of(data, out, say);
      return Corpora.open(prepared.folder(), Map.of(data == null ? "jdk" : prepared.name(), prepared.folder()));
    }
    var folder = data == null ? base : data;
    var validation = new LinkedHashMap<String, Path>();
    texts.validation().forEach((name, path) -> validation.put(name, folder.resolve(path)));
    return Corpora.open(folder.resolve(texts.trainFolder()), validation);
  }

  private void keepPlan() {
    var kept = out.resolve(StudyPlan.FILE);
    try {
      if (!Files.exists(kept) || !Arrays.equals(text, Files.readAllBytes(kept))) Disk.write(kept, text);
    } catch (IOException e) {
      throw new UserError("Cannot copy the plan to " + kept + " (" + Disk.reason(e) + "); check the permissions", e);
    }
  }
}
