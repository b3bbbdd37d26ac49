package dev.walsh.cli;

import dev.walsh.eval.Score;
import dev.walsh.eval.TaskResult;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The results of tasks as tables: a row a score, and a table more for each task of several sets. */
final class EvalTable {
  private EvalTable() {}

  static List<Table> of(List<TaskResult> results) {
    var table = Table.of("", Column.text("task"), Column.text("version"), Column.number("items"), Column.number("truncated"),
        Column.text("metric"), Column.number("value"), Column.number("chance"));
    var sets = new ArrayList<Table>();
    for (var result : results) {
      var own = result.scores().entrySet().stream().filter(entry -> !isOfSet(entry)).toList();
      for (var entry : own) {
        table = table.row(Cell.of(result.task()), Cell.of(result.version()), count(result.items()), count(result.truncated()),
            Cell.of(entry.getKey()), value(entry.getValue()), chance(entry.getValue()));
      }
      if (own.size() < result.scores().size()) sets.add(sets(result));
    }
    sets.addFirst(table);
    return sets;
  }

  private static Table sets(TaskResult result) {
    var table = Table.of("", Column.text("metric and set of " + result.task()), Column.number("value"), Column.number("chance"));
    for (var entry : result.scores().entrySet()) {
      if (isOfSet(entry)) table = table.row(Cell.of(entry.getKey()), value(entry.getValue()), chance(entry.getValue()));
    }
    return table;
  }

  private static boolean isOfSet(Map.Entry<String, Score> entry) {
    return entry.getKey().indexOf('/') >= 0;
  }

  private static Cell value(Score score) {
    return Cell.of(score.value(), Format.PLAIN).note(new Span("± " + error(score.error()), score.error()));
  }

  private static String error(double error) {
    return Double.isNaN(error) ? Format.PLAIN.text(error) : String.format(Locale.ROOT, "%.2g", error);
  }

  private static Cell chance(Score score) {
    return score.chance() == null ? Cell.none() : Cell.of(score.chance(), Format.PLAIN);
  }

  private static Cell count(int count) {
    return Cell.of(String.format(Locale.ROOT, "%,d", count));
  }
}
