package dev.walsh.study.findings;

import dev.walsh.model.RecurrentState;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import dev.walsh.report.Text;
import dev.walsh.study.Arm;
import dev.walsh.study.Interval;
import java.util.List;

/** What may be said of a study that asks nothing of the paper's: each arm against dense, and linear attentions of one size of state. */
record AgainstDense(List<Setting> settings) {
  static final String RULES = "A verdict follows from 95% t-intervals over seeds, which exclude zero or do not: one seed decides nothing.";

  /** A verdict an arm and setting. */
  Table verdicts() {
    var table = Table.of("Each arm against dense, at equal tokens", Column.text("arm"), Column.text("at"), Column.number("loss",
        "nats/token"), Column.number("difference", "nats/token"), Column.text("verdict"));
    for (var setting : settings) {
      for (var arm : setting.others()) {
        var difference = Paired.atEqualTokens(setting, arm, Arm.BASELINE).difference();
        var runs = setting.runs(arm);
        table = table.row(Cell.of(arm).strong(), Cell.of(setting.name()),
            runs.isEmpty() ? Cell.none() : Cell.of(Figures.mean(runs, run -> run.record().loss()), Format.PLAIN),
            Words.cell(difference, 4), Cell.of(verdict(difference)));
      }
    }
    return table;
  }

  private static String verdict(Interval difference) {
    if (difference.count() == 0) return "no pair of runs yet";
    if (difference.high() < 0) return "lower";
    return difference.low() > 0 ? "higher" : "undecided";
  }

  /** Where all arms end, in a sentence. */
  Text summary() {
    var text = Text.of("");
    for (var setting : settings) {
      var arms = setting.others().stream().filter(arm -> Paired.atEqualTokens(setting, arm, Arm.BASELINE).isKnown()).toList();
      for (var arm : arms) {
        boolean first = arm.equals(arms.getFirst());
        text = text.then(first ? (text.toString().isEmpty() ? "" : ". ") + "Against dense, at " + setting.name() + ", " : ", ")
            .then(arm + " ");
        text = Words.interval(text, Paired.atEqualTokens(setting, arm, Arm.BASELINE).difference(), 4);
      }
    }
    return text.then(text.toString().isEmpty() ? "No arm has run beside dense yet." : " nats a token.");
  }

  /** The arms of linear attention by what they remember a sequence by, each against dense and against all before it of the same size. */
  static Table byState(Setting setting) {
    var table = Table.of("Linear attention by its state, that of one sequence in all layers; differences at equal tokens",
        Column.text("arm"), Column.number("state"), Column.number("to dense", "nats/token"), Column.text("of the same state"),
        Column.number("to that", "nats/token"));
    var linear = setting.arms().keySet().stream().filter(arm -> state(setting, arm) > 0).toList();
    for (var arm : linear) {
      long state = state(setting, arm);
      var twins = linear.subList(0, linear.indexOf(arm)).stream().filter(other -> state(setting, other) == state).toList();
      for (var twin : twins.isEmpty() ? List.of("") : twins) {
        table = table.row(Cell.of(arm).strong(), Cell.of(Span.of(state, Format.BYTES)),
            Words.cell(Paired.atEqualTokens(setting, arm, Arm.BASELINE).difference(), 4), Cell.of(twin),
            Words.cell(Paired.atEqualTokens(setting, arm, twin).difference(), 4));
      }
    }
    return table;
  }

  /** Bytes; 0 where nothing has run, or the arm remembers all keys and values. */
  private static long state(Setting setting, String arm) {
    return setting.runs(arm).stream().findFirst().map(run -> RecurrentState.bytes(run.record().model())).orElse(0L);
  }
}
