package dev.walsh.study.findings;

import dev.walsh.report.Block;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Columns;
import dev.walsh.report.Format;
import dev.walsh.report.Plot;
import dev.walsh.report.Section;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import dev.walsh.report.Text;
import dev.walsh.study.Arm;
import dev.walsh.study.paper.Published;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** Table 4 and Figure 4 of the paper beside what a study found, at whatever scale that was. */
public final class BesideThePaper {
  private static final List<String> ARMS = List.of(Arm.BASELINE, "hadamard");
  private static final List<String> PANELS = List.of("Loss by tokens", "Loss by compute");

  private final Published published;
  private final List<Setting> settings;
  private final ScalingLaws laws;

  private BesideThePaper(Published published, Results results) {
    this.published = published;
    settings = results.settings().stream().filter(setting -> ARMS.stream().noneMatch(arm -> setting.runs(arm).isEmpty())).toList();
    laws = ScalingLaws.of(settings);
  }

  /** Of the study in a folder. */
  public static BesideThePaper read(Published published, Path out) {
    return new BesideThePaper(published, Results.read(out));
  }

  /** Table 4: downstream accuracy. */
  public Section table4() {
    var tasks = new LinkedHashSet<String>();
    published.accuracy().values().forEach(of -> tasks.addAll(of.keySet()));
    settings.forEach(setting -> TaskScores.of(setting).forEach(of -> tasks.add(of.task())));
    var columns = new ArrayList<>(List.of(Column.text("model"), Column.text("from")));
    tasks.forEach(task -> columns.add(Column.number(task, "%")));
    var rows = new ArrayList<List<Cell>>();
    published.accuracy().forEach((model, of) -> {
      for (int arm = 0; arm < ARMS.size(); arm++) {
        int which = arm;
        rows.add(row(Stream.of(Cell.of(model + " " + ARMS.get(arm)).strong(), Cell.of("paper, one seed")), tasks.stream().map(task -> {
          var pair = of.get(task);
          return pair == null ? Cell.none() : Cell.of(decimals(pair.get(which), 1));
        })));
      }
    });
    for (var setting : settings) {
      var scores = TaskScores.of(setting);
      for (var arm : ARMS) {
        rows.add(row(Stream.of(Cell.of(setting.size() + " " + arm).strong(), Cell.of(ours(setting, arm))), tasks.stream().map(
            task -> scores.stream().filter(of -> of.task().equals(task)).map(of -> cell(of, arm)).findFirst().orElse(Cell.none()))));
      }
    }
    return new Section("Table 4",
        List.of(new Table("Downstream accuracy; ± is one standard error over the items", columns, rows), silent(), scale()));
  }

  private static List<Cell> row(Stream<Cell> names, Stream<Cell> values) {
    return Stream.concat(names, values).toList();
  }

  private static String ours(Setting setting, String arm) {
    int seeds = setting.runs(arm).size();
    return "ours, " + Format.COUNT.text(setting.tokens()) + " tokens, " + (seeds == 1 ? "one seed" : seeds + " seeds");
  }

  /** Of which of our tasks nothing follows. */
  private Text silent() {
    var silent = settings.stream().flatMap(setting -> TaskScores.of(setting).stream().filter(task -> !task.tells())
        .map(task -> task.task() + " at " + setting.size())).toList();
    if (!silent.isEmpty()) {
      return Text
          .of("Nothing follows from " + String.join(", ", silent) + ": dense is less than three standard errors above chance there.");
    }
    boolean any = settings.stream().anyMatch(setting -> !TaskScores.of(setting).isEmpty());
    return Text.of(any ? "On every task that we ran, dense is at least three standard errors above chance." : "We ran no task here.");
  }

  private static Cell cell(TaskScores of, String arm) {
    var score = of.arms().get(arm);
    if (score == null) return Cell.none();
    var cell = Cell.of(decimals(100 * score.mean(), 1)).note(new Span("±" + decimals(100 * score.error(), 1).text(), 100 * score.error()));
    return of.tells() ? cell : cell.muted();
  }

  private static Span decimals(double value, int decimals) {
    return new Span(String.format(Locale.ROOT, "%." + decimals + "f", value), value);
  }

  /** Figure 4: the losses, the gap and the exponents. */
  public Section figure4() {
    var table = Table.of("Final losses, nats a token; the paper's of validation, read off the figure", Column.text("model"), Column.text(
        "from"), Column.number("dense"), Column.number("Hadamard"), Column.number("difference"), Column.number("FLOPs", "Hadamard/dense"));
    for (var size : published.sizes()) {
      var dense = size.denseLoss();
      var hadamard = size.hadamardLoss();
      var flops = size.flops();
      if (dense == null || hadamard == null || flops == null) continue;
      table = table.row(Cell.of(size.model()).strong(), Cell.of("paper, one seed"), Cell.of(decimals(dense, 2)),
          Cell.of(decimals(hadamard, 2)), Cell.of(Span.difference(hadamard - dense, 2)), Cell.of(decimals(flops, 3)));
    }
    var plots = new ArrayList<Block>();
    for (var setting : settings) {
      double dense = Figures.mean(setting.runs(Arm.BASELINE), run -> run.record().loss());
      double hadamard = Figures.mean(setting.runs("hadamard"), run -> run.record().loss());
      double flops = Figures.mean(setting.runs("hadamard"), run -> run.record().sizes().flopsAToken()) / setting.dense().flopsAToken();
      table = table.row(Cell.of(setting.size()).strong(), Cell.of(ours(setting, "hadamard")), Cell.of(decimals(dense, 4)),
          Cell.of(decimals(hadamard, 4)), Words.cell(Paired.atEqualTokens(setting, "hadamard", Arm.BASELINE).difference(), 4),
          Cell.of(decimals(flops, 3)));
      plots.add(new Columns(plots(setting)));
    }
    var exponents = Text.of("The paper's exponents are 0.072 and 0.072, 0.092 and 0.090, 0.086 and 0.083 (Hadamard, dense), each fitted to"
        + " one run's curve; ");
    var fitted = laws.laws().stream().filter(law -> ARMS.contains(law.arm())).toList();
    if (fitted.size() < ARMS.size()) {
      exponents = exponents.then("over sizes ours are not fitted, for want of " + ScalingLaws.LEAST_SIZES + " of them.");
    } else {
      exponents = exponents.then("ours, over sizes:");
      for (var law : fitted) exponents = exponents.then(" " + law.arm() + " ").then(Span.difference(-law.law().exponent(), 4));
      exponents = exponents.then(".");
    }
    var blocks = new ArrayList<Block>(List.of(table));
    blocks.addAll(plots);
    blocks.addAll(List.of(exponents, scale()));
    return new Section("Figure 4", blocks);
  }

  /** The two of the figure's panels, for one setting: its curves of the paper's two arms. */
  private static List<Block> plots(Setting setting) {
    return SettingSection.of(setting).blocks().stream()
        .flatMap(block -> block instanceof Columns columns ? columns.blocks().stream() : Stream.empty())
        .filter(block -> block instanceof Plot plot && PANELS.contains(plot.title()))
        .<Block>map(block -> ofTheTwo((Plot) block).caption(setting.name())).toList();
  }

  private static Plot ofTheTwo(Plot plot) {
    return Plot.of(plot.title(), plot.x(), plot.y(), plot.series().stream().filter(series -> ARMS.contains(series.name())).toList());
  }

  private Text scale() {
    if (settings.isEmpty()) return Text.of("The study has no pair of dense and Hadamard yet.");
    var largest = settings.stream().mapToLong(setting -> setting.dense().parameters()).max().orElse(0);
    var paper = published.sizes().stream().filter(size -> size.denseLoss() != null).mapToDouble(Published.Size::dense).max().orElse(0);
    return Text.of("Scale: the largest model here has ").then(Span.of(largest, Format.COUNT))
        .then(" parameters and the paper's largest trained"
            + " one ")
        .then(Span.of(paper, Format.COUNT)).then("; the paper does not say on how many tokens. These rows test the paper's claims at"
            + " the scale that was run, and at no other.");
  }
}
