package dev.walsh.study.findings;

import dev.walsh.config.UserError;
import dev.walsh.study.Sizes;
import dev.walsh.study.cells.CellStore;
import dev.walsh.study.plan.Cell;
import dev.walsh.study.plan.Group;
import dev.walsh.study.plan.Shape;
import dev.walsh.study.plan.StudyPlan;
import dev.walsh.tensor.Dtype;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** All that a study's folder holds so far, put in order: its plan, and the runs of each cell that has finished. */
final class Results {
  private final StudyPlan plan;
  private final Map<Cell, Run> runs;

  private Results(StudyPlan plan, Map<Cell, Run> runs) {
    this.plan = plan;
    this.runs = runs;
  }

  /** Reads a study's folder; a UserError where it holds no study. */
  static Results read(Path out) {
    var file = out.resolve(StudyPlan.FILE);
    if (!Files.exists(file)) throw new UserError(out + " holds no study; give the --out of 'walsh study'");
    var plan = StudyPlan.read(file);
    var store = new CellStore(out);
    var runs = new LinkedHashMap<Cell, Run>();
    for (var cell : plan.cells()) {
      var record = store.find(cell);
      if (record != null) runs.put(cell, new Run(record, store.curve(cell)));
    }
    return new Results(plan, runs);
  }

  StudyPlan plan() {
    return plan;
  }

  /** The run of a cell; null where it has not finished. */
  @Nullable
  Run run(Cell cell) {
    return runs.get(cell);
  }

  /** All runs, in the order of the plan. */
  List<Run> runs() {
    return List.copyOf(runs.values());
  }

  private static boolean isSweep(Group group) {
    var rates = group.learningRates();
    return rates != null && rates.size() > 1;
  }

  /** The groups of several learning rates. */
  List<Sweep> sweeps() {
    var sweeps = new ArrayList<Sweep>();
    for (var group : plan.groups()) {
      if (!isSweep(group)) continue;
      var ofArms = new LinkedHashMap<String, List<Run>>();
      for (var arm : group.arms()) ofArms.put(arm, new ArrayList<>());
      runs.forEach((cell, run) -> {
        var ofArm = cell.group().equals(group) ? ofArms.get(cell.arm()) : null;
        if (ofArm != null) ofArm.add(run);
      });
      sweeps.add(new Sweep(group, ofArms));
    }
    return sweeps;
  }

  private record Key(Shape shape, long tokens, int batchTokens) {}

  /** What may be compared, from all groups of one learning rate an arm; groups that differ in nothing else are one. */
  List<Setting> settings() {
    int vocabulary = runs.values().stream().mapToInt(run -> run.record().model().vocabulary()).findFirst().orElse(1);
    var settings = new LinkedHashMap<Key, Setting>();
    for (var cell : plan.cells()) {
      var group = cell.group();
      if (isSweep(group)) continue;
      var recipe = group.recipe(1, 0, true);
      var setting = settings.computeIfAbsent(new Key(group.model(), recipe.tokens(), recipe.batchTokens()), key -> new Setting(key.shape,
          Sizes.of(group.model().dense(vocabulary), recipe, Dtype.BF16), key.tokens, key.batchTokens, Map.of(), Map.of()));
      var ofArm = setting.arms().computeIfAbsent(cell.arm(), _ -> new ArrayList<>());
      setting.cells().merge(cell.arm(), 1, Integer::sum);
      var run = runs.get(cell);
      if (run != null) ofArm.add(run);
    }
    settings.values().forEach(setting -> setting.arms().values().forEach(list -> list.sort(Comparator.comparingInt(Run::seed))));
    return List.copyOf(settings.values());
  }
}
