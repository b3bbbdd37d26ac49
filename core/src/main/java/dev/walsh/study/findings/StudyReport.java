package dev.walsh.study.findings;

import dev.walsh.config.Json;
import dev.walsh.report.Axis;
import dev.walsh.report.Block;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Columns;
import dev.walsh.report.Details;
import dev.walsh.report.Format;
import dev.walsh.report.HtmlReport;
import dev.walsh.report.Plot;
import dev.walsh.report.Section;
import dev.walsh.report.Series;
import dev.walsh.report.Series.Fit;
import dev.walsh.report.Series.Point;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import dev.walsh.report.Text;
import dev.walsh.study.Arm;
import dev.walsh.study.findings.Claim.Finding;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Collectors;

/** What a study shows, made of its folder alone: the verdicts, a page, and each table and plot as a file of its own. */
public final class StudyReport {
  private static final String PAGE = "report.html";
  private static final String FIGURES = "figures";

  private final Results results;
  private final List<Setting> settings;
  private final ScalingLaws laws;
  private final List<Claim> claims;

  private StudyReport(Results results) {
    this.results = results;
    settings = results.settings();
    laws = ScalingLaws.of(settings);
    claims = Claims.of(settings, laws);
  }

  /** Reads the folder that a study wrote, whether or not all of its cells have finished. */
  public static StudyReport read(Path out) {
    return new StudyReport(Results.read(out));
  }

  /** A verdict a claim of the paper, and why; of a plan without a Hadamard projection, which can speak to none of them, a verdict an arm. */
  public Table claims() {
    if (!asksThePaper()) return new AgainstDense(settings).verdicts();
    var table = Table.of("The paper's claims", Column.text("claim"), Column.text("in the paper"), Column.text("verdict"),
        Column.text("because"));
    for (var claim : claims) {
      table = table.row(Cell.of(claim.statement()), Cell.of(claim.paper()), verdict(claim), Cell.of(claim.because().toString()));
    }
    return table;
  }

  private boolean asksThePaper() {
    return settings.stream().anyMatch(setting -> setting.arms().containsKey("hadamard"))
        || results.sweeps().stream().anyMatch(sweep -> sweep.group().arms().contains("hadamard"));
  }

  private static Cell verdict(Claim claim) {
    var verdict = Cell.of(claim.finding().toString());
    return claim.finding() == Finding.UNDECIDED ? verdict.muted() : verdict.strong();
  }

  /** The same for a page: a table that fits it, and the numbers that decide, each with its value. */
  private Section verdicts() {
    if (!asksThePaper()) {
      return Section.of("Verdicts", new AgainstDense(settings).verdicts(),
          Text.of(AgainstDense.RULES + " The plan has no arm hadamard, so the claims of its paper were not asked."));
    }
    var table = Table.of("The paper's claims", Column.text("claim"), Column.text("verdict"), Column.text("in the paper"));
    var because = new ArrayList<Block>();
    for (var claim : claims) {
      table = table.row(Cell.of(claim.statement()), verdict(claim), Cell.of(claim.paper()));
      var reason = Text.of(claim.statement() + " (" + claim.finding() + "): ");
      for (var span : claim.because().spans()) reason = reason.then(span);
      because.add(reason.then("."));
    }
    because.addFirst(table);
    because.add(Text.of(Claims.RULES));
    return new Section("Verdicts", because);
  }

  /** Where Hadamard, or every arm of a plan without it, stands against dense at the end of every setting, and how many claims hold. */
  public Text summary() {
    if (!asksThePaper()) return new AgainstDense(settings).summary();
    var text = Text.of("");
    for (var setting : settings) {
      var paired = Paired.atEqualTokens(setting, "hadamard", Arm.BASELINE);
      if (!paired.isKnown()) continue;
      text = text.then((text.toString().isEmpty() ? "Against dense, Hadamard ends " : "; ") + "at " + setting.name() + " ");
      text = Words.interval(text, paired.difference(), 4);
    }
    var counted = claims.stream().collect(Collectors.groupingBy(Claim::finding, Collectors.counting()));
    return text
        .then((text.toString().isEmpty() ? "" : " nats a token. ") + "Of " + claims.size() + " claims of the paper this study supports "
            + counted.getOrDefault(Finding.SUPPORTED, 0L) + ", does not support " + counted.getOrDefault(Finding.NOT_SUPPORTED, 0L)
            + ", and leaves " + counted.getOrDefault(Finding.UNDECIDED, 0L) + " undecided.");
  }

  /** Writes the page, and beside it every table as CSV and every plot as SVG; returns the page's path. */
  public Path writeTo(Path out) {
    sections().forEach(section -> section.writeFiles(out.resolve(FIGURES)));
    var page = out.resolve(PAGE);
    page().writeTo(page);
    return page;
  }

  HtmlReport page() {
    var page = HtmlReport.titled(results.plan().name());
    facts(page);
    page.verdict(summary());
    for (var section : sections()) page.section(section);
    page.section("Configuration", new Details("plan", Json.PRETTY.writeValueAsString(results.plan())));
    page.footnote(Text.of(
        "Arms of one seed saw the same tokens in the same order, under one schedule, from the same initial weights wherever they share a part. Learning rates are each arm's own, as the tables say."));
    page.footnote(Text.of(
        "Curves, and the gaps read off them, are validated on fewer tokens than the end is, so their last point may differ from the tables' losses. Before its end a curve stands at a learning rate that has not come down: a run planned that short would end lower."));
    page.footnote(Text.of(
        "At equal FLOPs or time the cheaper arm stands at its end, and the other where it had spent as much; its learning rate had not come down all the way there, which flatters the cheaper one. Time is tokens by the median speed."));
    page.footnote(Text.of(
        "FLOPs count a multiply-add as two, and a fixed transform by its additions. Memory is measured on a GPU after the first steps, and computed from the tensors elsewhere."));
    return page;
  }

  private void facts(HtmlReport page) {
    int planned = results.plan().cells().size();
    page.fact("cells", results.runs().size() + " of " + planned);
    if (results.runs().isEmpty()) return;
    var data = results.runs().getFirst().record().data();
    page.fact("text", Format.COUNT.text(data.trainTokens()) + " tokens of " + data.tokenizer() + ", validated on " + String.join(", ", data
        .validation().keySet()));
    page.fact("device", distinct(run -> run.record().stamp().device().replaceFirst("^device ", "")));
    page.fact("date", results.runs().stream().map(run -> run.record().stamp().date()).max(String::compareTo).orElse(""));
    page.fact("commit", distinct(run -> run.record().stamp().commit()));
  }

  private String distinct(Function<Run, String> of) {
    return results.runs().stream().map(of).distinct().collect(Collectors.joining(", "));
  }

  List<Section> sections() {
    var sections = new ArrayList<Section>();
    sections.add(verdicts());
    settings.forEach(setting -> sections.add(SettingSection.of(setting)));
    results.sweeps().forEach(sweep -> sections.add(rates(sweep)));
    sections.add(scaling());
    for (var setting : settings) {
      var tasks = TaskScores.of(setting);
      if (!tasks.isEmpty()) sections.add(Section.of("Downstream, " + setting.name(), tasks(setting, tasks)));
    }
    sections.add(Section.of("Cells", cells()));
    return sections;
  }

  private static Section rates(Sweep sweep) {
    var table = Table.of("Each arm's best learning rate, and the range within " + Sweep.TOLERANCE + " nats of it", Column.text("arm"),
        Column.number("best"), Column.number("loss", "nats/token"), Column.number("from"), Column.number("to"), Column.text("diverged at"),
        Column.text(""));
    var series = new ArrayList<Series>();
    for (var arm : sweep.group().arms()) {
      var found = sweep.of(arm);
      series
          .add(Series.of(arm, found == null ? List.of() : found.rates().stream().map(r -> new Point(r.learningRate(), r.loss())).toList()));
      if (found == null) {
        table = table.row(Cell.of(arm).strong(), Cell.none(), Cell.none(), Cell.none(), Cell.none(), Cell.none(), Cell.of("no run yet"));
        continue;
      }
      var diverged = found.rates().stream().filter(Sweep.Rate::isDiverged).map(r -> Span.chosen(r.learningRate()).text()).collect(Collectors
          .joining(", "));
      table = table.row(Cell.of(arm).strong(), Cell.of(Span.chosen(found.best().learningRate())), Cell.of(found.best().loss(),
          Format.PLAIN), Cell.of(Span.chosen(found.low())), Cell.of(Span.chosen(found.high())),
          diverged.isEmpty()
              ? Cell.none()
              : Cell.of(diverged),
          Cell.of(found.atEdge() ? "at the edge of what was tried" : ""));
    }
    var plot = Plot.of("Loss by learning rate", Axis.log("peak learning rate", "", Format.PLAIN), Axis.linear("validation loss",
        "nats/token", Format.PLAIN), series);
    return Section.of("Learning rate, " + sweep.group().name(), table, Columns.of(plot));
  }

  private Section scaling() {
    if (laws.laws().isEmpty()) {
      return Section.of("Scaling", Text.of("Not fitted: a power law needs " + ScalingLaws.LEAST_SIZES + " sizes of an arm."));
    }
    var table = Table.of("L = a · C^b, fitted to the final losses over compute; 95% by bootstrap over seeds", Column.text("arm"), Column
        .number("exponent b"), Column.number("from"), Column.number("to"), Column.number("coefficient a"), Column.number("from"),
        Column
            .number("to"));
    var series = new ArrayList<Series>();
    for (var law : laws.laws()) {
      table = table.row(Cell.of(law.arm()).strong(), Cell.of(Span.difference(law.law().exponent(), 5)), Cell.of(Span.difference(law
          .exponent().low(), 5)), Cell.of(Span.difference(law.exponent().high(), 5)), Cell.of(law.law().coefficient(), Format.PLAIN), Cell
              .of(law.coefficient().low(), Format.PLAIN),
          Cell.of(law.coefficient().high(), Format.PLAIN));
      var points = law.points().stream().map(p -> new Point(p.x(), p.y())).sorted(Comparator.comparingDouble(Point::x)).toList();
      series.add(Series.of(law.arm(), points).fit(Fit.powerLaw(law.law().coefficient(), law.law().exponent(), new Axis.Range(points
          .getFirst().x(), points.getLast().x()), new Span("exponent " + Span.difference(law.law().exponent(), 4).text(),
              law.law()
                  .exponent()))));
    }
    var plot = Plot.of("Final loss by compute", Axis.log("training compute", "FLOPs", Format.COUNT), Axis.log("validation loss",
        "nats/token", Format.PLAIN), series);
    return Section.of("Scaling", table, Columns.of(plot), Text.of("Budgets are the plan's, not those that compute is best spent on, so the"
        + " exponents compare arms and do not predict larger models."));
  }

  private static Table tasks(Setting setting, List<TaskScores> tasks) {
    var columns = new ArrayList<Column>(List.of(Column.text("arm")));
    tasks.forEach(task -> columns.add(Column.number(task.task(), task.metric())));
    var rows = new ArrayList<List<Cell>>();
    var chance = new ArrayList<Cell>(List.of(Cell.of("chance").muted()));
    for (var task : tasks) chance.add(Cell.of(accuracy("%.4f", task.chance())).note(Span.of(task.tells() ? "" : "does not tell")).muted());
    rows.add(chance);
    for (var arm : setting.arms().keySet()) {
      var row = new ArrayList<Cell>(List.of(Cell.of(arm).strong()));
      for (var task : tasks) {
        var of = task.arms().get(arm);
        row.add(of == null ? Cell.none() : Cell.of(accuracy("%.4f", of.mean())).note(accuracy("±%.4f", of.error())));
      }
      rows.add(row);
    }
    return new Table("Accuracy, means over seeds, with one standard error over the items; nothing follows from a task where dense is not"
        + " three of them above chance", columns, rows);
  }

  private static Span accuracy(String format, double value) {
    return new Span(String.format(Locale.ROOT, format, value), value);
  }

  private Table cells() {
    var table = Table.of("Groups of the plan, and what has run of them", Column.text("group"), Column.text("what it is to show"), Column
        .number("finished"), Column.number("of"), Column.number("diverged"), Column.number("device time"), Column.text("not yet run"));
    for (var group : results.plan().groups()) {
      var cells = results.plan().cells().stream().filter(cell -> cell.group().equals(group)).toList();
      var runs = cells.stream().map(results::run).filter(Objects::nonNull).toList();
      var missing = new LinkedHashMap<String, Integer>();
      for (var cell : cells) {
        if (results.run(cell) == null) missing.merge(cell.arm(), 1, Integer::sum);
      }
      var left = missing.entrySet().stream().map(e -> e.getKey() + (e.getValue() == 1 ? "" : " ×" + e.getValue())).collect(Collectors
          .joining(", "));
      table = table.row(Cell.of(group.name()).strong(), Cell.of(group.about() == null ? "" : group.about()), Cell.of(runs.size(),
          Format.PLAIN), Cell.of(cells.size(), Format.PLAIN), Cell.of(runs.stream().filter(Run::isDiverged).count(), Format.PLAIN),
          Cell.of(
              runs.stream().mapToDouble(run -> run.record().wallSeconds()).sum(), Format.SECONDS),
          left.isEmpty()
              ? Cell.none()
              : Cell.of(
                  left));
    }
    return table;
  }
}
