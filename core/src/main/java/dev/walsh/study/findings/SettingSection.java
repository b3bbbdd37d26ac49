package dev.walsh.study.findings;

import dev.walsh.report.Axis;
import dev.walsh.report.Block;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Columns;
import dev.walsh.report.Format;
import dev.walsh.report.Plot;
import dev.walsh.report.Section;
import dev.walsh.report.Series.Point;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import dev.walsh.report.Text;
import dev.walsh.study.Arm;
import dev.walsh.study.SeedCurves;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The part of the report about one shape and one number of tokens: what the arms take and reach, and how they get there. */
final class SettingSection {
  /** The share of the training from which on curves are drawn; before it, all losses fall from that of an untrained model. */
  private static final double DRAWN_FROM = 0.05;
  /** Pairs of about equal parameters. */
  private static final List<List<String>> ISO_PARAMETERS = List.of(List.of("reinvest-width", "dense"), List.of("reinvest-depth", "dense"),
      List.of("hadamard", "dense-small"), List.of("identity", "dense-small"), List.of("identity-query", "hadamard"));
  private static final String HADAMARD = "hadamard";

  private final Setting setting;

  private SettingSection(Setting setting) {
    this.setting = setting;
  }

  static Section of(Setting setting) {
    var section = new SettingSection(setting);
    if (setting.arms().values().stream().allMatch(List::isEmpty)) {
      return new Section(setting.name(), List.of(Text.of("No cell of " + String.join(", ", setting.arms().keySet()) + " has run yet.")));
    }
    var blocks = new ArrayList<Block>(List.of(section.reached(), section.taken(), section.texts()));
    var pairs = section.isoParameters();
    if (!pairs.rows().isEmpty()) blocks.add(pairs);
    var linear = AgainstDense.byState(setting);
    if (!linear.rows().isEmpty()) blocks.add(linear);
    var gaps = Gaps.of(setting);
    blocks.add(Columns.of(gaps.plot(), section.curves("Loss by tokens", Budget.TOKENS, Axis.log("training tokens", "", Format.COUNT))));
    blocks.add(Columns.of(section.curves("Loss by compute", Budget.FLOPS, Axis.log("training compute", "FLOPs", Format.COUNT)),
        section.curves("Loss by time", Budget.SECONDS, Axis.log("training time", "", Format.SECONDS))));
    blocks.add(gaps.table());
    blocks.add(gaps.crossings());
    return new Section(setting.name(), blocks);
  }

  private List<Run> runs(String arm) {
    return setting.runs(arm);
  }

  private double mean(String arm, Function<Run, Double> figure) {
    return Figures.mean(runs(arm), figure);
  }

  private Table reached() {
    boolean hasHadamard = setting.arms().containsKey(HADAMARD);
    var columns = new ArrayList<>(List.of(Column.text("arm"), Column.number("seeds"), Column.number("learning rate"), Column.number("loss"),
        Column.number("to dense", "equal tokens"), Column.number("to dense", "equal FLOPs"), Column.number("to dense", "equal time")));
    if (hasHadamard) columns.add(Column.number("to hadamard", "equal tokens"));
    var rows = new ArrayList<List<Cell>>();
    for (var arm : setting.arms().keySet()) {
      boolean base = arm.equals(Arm.BASELINE);
      var loss = mean(arm, run -> run.record().loss());
      var row = new ArrayList<>(List.of(Cell.of(arm).strong(), Cell.of(seeds(arm)), rate(arm), runs(arm).isEmpty()
          ? Cell.none()
          : Cell.of(loss,
              Format.PLAIN),
          base ? Cell.none() : Words.cell(Paired.atEqualTokens(setting, arm, Arm.BASELINE).difference(), 4),
          base ? Cell.none() : Words.cell(Paired.atEqual(Budget.FLOPS, setting, arm, Arm.BASELINE).difference(), 4),
          base ? Cell.none() : Words.cell(Paired.atEqual(Budget.SECONDS, setting, arm, Arm.BASELINE).difference(), 4)));
      if (hasHadamard) {
        row.add(arm.equals(HADAMARD) ? Cell.none() : Words.cell(Paired.atEqualTokens(setting, arm, HADAMARD).difference(), 4));
      }
      rows.add(row);
    }
    return new Table("Validation loss, nats a token; differences are paired by seed, with 95% t-intervals, strong where they exclude zero",
        columns, rows);
  }

  /** How many of the seeds have run, and how many diverged. */
  private Span seeds(String arm) {
    int done = runs(arm).size();
    int planned = setting.cells().getOrDefault(arm, 0);
    long diverged = runs(arm).stream().filter(Run::isDiverged).count();
    var text = (done == planned ? "" + done : done + " of " + planned) + (diverged == 0 ? "" : ", " + diverged + " diverged");
    return new Span(text, (double) done);
  }

  private Cell rate(String arm) {
    return runs(arm).isEmpty() ? Cell.none() : Cell.of(Span.chosen(runs(arm).getFirst().record().training().learningRate()));
  }

  private Table taken() {
    var table = Table.of("What the arms take; small figures are against dense", Column.text("arm"), Column.number("parameters"),
        Column.number("of attention"), Column.number("FLOPs", "a token"), Column.number("memory"), Column.number("speed", "tokens/s"));
    for (var arm : setting.arms().keySet()) {
      table = table.row(Cell.of(arm).strong(), ratio(arm, run -> (double) run.record().sizes().parameters(), Format.COUNT),
          ratio(arm, run -> (double) run.record().sizes().attentionParameters(), Format.COUNT),
          ratio(arm, run -> run.record().sizes().flopsAToken(), Format.COUNT), ratio(arm, Figures::memory, Format.BYTES),
          ratio(arm, run -> run.record().tokensPerSecond(), Format.COUNT));
    }
    return table;
  }

  private Cell ratio(String arm, Function<Run, Double> figure, Format format) {
    if (runs(arm).isEmpty()) return Cell.none();
    double value = mean(arm, figure);
    var cell = Cell.of(value, format);
    double dense = mean(Arm.BASELINE, figure);
    return arm.equals(Arm.BASELINE) || Double.isNaN(dense) ? cell : cell.note(Span.percent(value / dense - 1));
  }

  private Table texts() {
    var names = new LinkedHashSet<String>();
    for (var runs : setting.arms().values()) runs.forEach(run -> names.addAll(run.record().data().validation().keySet()));
    var columns = new ArrayList<Column>(List.of(Column.text("arm"), Column.number("training")));
    names.forEach(name -> columns.add(Column.number(name)));
    var rows = new ArrayList<List<Cell>>();
    for (var arm : setting.arms().keySet()) {
      var row = new ArrayList<Cell>(List.of(Cell.of(arm).strong(), loss(arm, run -> orNan(run.record().trainLoss()))));
      for (var name : names) row.add(loss(arm, run -> orNan(run.record().validationLoss().get(name))));
      rows.add(row);
    }
    return new Table("Loss by text, nats a token; training is the mean over the last twentieth of the steps", columns, rows);
  }

  private Cell loss(String arm, Function<Run, Double> figure) {
    return runs(arm).isEmpty() ? Cell.none() : Cell.of(mean(arm, figure), Format.PLAIN);
  }

  private static double orNan(@Nullable Double value) {
    return value == null ? Double.NaN : value;
  }

  private Table isoParameters() {
    var table = Table.of("At equal parameters and tokens", Column.text("arm"), Column.text("against"), Column.number("parameters"),
        Column.number("loss difference", "nats/token"));
    for (var pair : ISO_PARAMETERS) {
      var arm = pair.getFirst();
      var other = pair.getLast();
      var paired = Paired.atEqualTokens(setting, arm, other);
      if (!paired.isKnown()) continue;
      double parameters = mean(arm, run -> (double) run.record().sizes().parameters());
      double others = mean(other, run -> (double) run.record().sizes().parameters());
      table = table.row(Cell.of(arm).strong(), Cell.of(other),
          Cell.of(parameters, Format.COUNT).note(Span.percent(parameters / others - 1)),
          Words.cell(paired.difference(), 4));
    }
    return table;
  }

  private Plot curves(String title, Budget budget, Axis x) {
    var series = setting.arms().keySet().stream().map(arm -> SeedCurves.of(arm, runs(arm).stream().filter(run -> !run.isDiverged())
        .map(run -> drawn(Curve.of(run, budget))).toList())).toList();
    return Plot.of(title, x, Axis.linear("validation loss", "nats/token", Format.PLAIN), series);
  }

  private static List<Point> drawn(Curve curve) {
    return curve.points().stream().filter(p -> p.spent() >= DRAWN_FROM * curve.end()).map(p -> new Point(p.spent(), p.loss())).toList();
  }
}
