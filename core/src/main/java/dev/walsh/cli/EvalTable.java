package dev.walsh.cli;

import dev.walsh.eval.Score;
import dev.walsh.eval.TaskResult;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import java.util.List;
import java.util.Locale;

/** The results of tasks as a table: a row a score, those of a task's sets below its own. */
final class EvalTable {
  private EvalTable() {}

  static Table of(List<TaskResult> results) {
    var table = Table.of("", Column.text("task"), Column.text("metric"), Column.number("value"), Column.number("chance"),
        Column.number("items"), Column.number("truncated"), Column.text("version"));
    for (var result : results) {
      for (var entry : result.scores().entrySet()) {
        var score = entry.getValue();
        boolean whole = entry.getKey().indexOf('/') < 0;
        table = table.row(Cell.of(result.task()), Cell.of(entry.getKey()), value(score), chance(score),
            whole ? count(result.items()) : Cell.of(""),
            whole ? count(result.truncated()) : Cell.of(""), Cell.of(whole ? result.version() : ""));
      }
    }
    return table;
  }

  private static Cell value(Score score) {
    return Cell.of(score.value(), Format.PLAIN).note(new Span("± " + Format.PLAIN.text(score.error()), score.error()));
  }

  private static Cell chance(Score score) {
    return score.chance() == null ? Cell.none() : Cell.of(score.chance(), Format.PLAIN);
  }

  private static Cell count(int count) {
    return Cell.of(String.format(Locale.ROOT, "%,d", count));
  }
}
