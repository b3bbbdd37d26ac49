package dev.walsh.study;

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
import dev.walsh.report.Sample;
import dev.walsh.report.Series;
import dev.walsh.report.Series.Fit;
import dev.walsh.report.Series.Point;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import dev.walsh.report.Text;
import dev.walsh.train.Metric;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.ToDoubleBiFunction;

/** The table, the verdict and the page of a comparison, made of {@code comparison.json} and the runs' {@code metrics.jsonl} alone. */
public final class ComparisonReport {
  /** The part of training that a power law is fitted to; before it, the loss still falls from that of an untrained model. */
  private static final double FITTED_FROM = 0.1;

  private final ComparisonRecord comparison;
  private final List<ArmResult> arms;
  private final Verdict verdict;

  private ComparisonReport(ComparisonRecord comparison, List<ArmResult> arms) {
    this.comparison = comparison;
    this.arms = arms;
    this.verdict = Verdict.of(comparison, arms);
  }

  /** Reads the folder that a comparison wrote. */
  public static ComparisonReport read(Path out) {
    var comparison = ComparisonRecord.read(out);
    return new ComparisonReport(comparison, comparison.arms().stream().map(arm -> ArmResult.read(comparison, arm, out)).toList());
  }

  /** One honest sentence or two, and no winner inside the noise. */
  public String verdict() {
    return verdict.sentence().toString();
  }

  /** The noise that several seeds show, in the form in which the verdict of one seed takes it. */
  public byte[] noise() {
    return Json.PRETTY.writeValueAsBytes(List.of(Noise.measured(comparison, arms)));
  }

  /** One row an arm, with the difference to the baseline below each figure. */
  public Table table() {
    var dense = arms.getFirst();
    var table = Table.of(caption(), Column.text("arm"), Column.number("parameters"), Column.number("of attention"),
        Column.number("FLOPs", "a token"),
        Column.number("memory"), Column.number("speed", "tokens/s"), Column.number("train loss", "nats/token"),
        Column.number("val loss", "nats/token"), Column.number("val", "bits/byte"));
    for (var arm : arms) {
      table = table.row(Cell.of(arm.name()).strong(), ratio(arm.parameters(), dense.parameters(), Format.COUNT, arm),
          ratio(arm.attentionParameters(), dense.attentionParameters(), Format.COUNT, arm),
          ratio(arm.flopsAToken(), dense.flopsAToken(), Format.COUNT, arm),
          ratio(arm.memory().total(), dense.memory().total(), Format.BYTES, arm),
          ratio(arm.tokensPerSecond(), dense.tokensPerSecond(), Format.COUNT, arm), difference(arm.trainLoss(), dense.trainLoss(), arm),
          difference(arm.validationLoss(), dense.validationLoss(), arm).strong(),
          difference(bits(arm.validationLoss()), bits(dense.validationLoss()), arm));
    }
    return table;
  }

  private String caption() {
    return "After " + Format.COUNT.text(comparison.recipe().tokens()) + " tokens"
        + (comparison.seeds() > 1 ? ", means of " + comparison.seeds() + " seeds" : "") + "; small figures are against dense";
  }

  /** Bits a byte of the text from nats a token. */
  private double bits(double nats) {
    return nats * comparison.tokensAByte() / Math.log(2);
  }

  private Cell ratio(double value, double dense, Format format, ArmResult arm) {
    var cell = Cell.of(value, format);
    return arm == arms.getFirst() ? cell : cell.note(Span.percent(value / dense - 1));
  }

  private Cell difference(double value, double dense, ArmResult arm) {
    var cell = Cell.of(value, Format.PLAIN);
    return arm == arms.getFirst() ? cell : cell.note(Span.difference(value - dense, 4));
  }

  /** The self-contained page. */
  public HtmlReport page(Map<String, String> samples) {
    var stamp = comparison.stamp();
    var model = comparison.arms().getFirst().model();
    var page = HtmlReport.titled("Dense against Hadamard")
        .fact("model", model.layers() + " layers, width " + model.width() + ", " + model.heads() + " heads")
        .fact("text", comparison.corpus() + ", as " + comparison.tokenizer()).fact("device", stamp.device().replaceFirst("^device ", ""))
        .fact("date", stamp.date())
        .fact("commit", stamp.commit()).fact("command", stamp.command());
    page.verdict(verdict.sentence());
    page.section("Summary", table());
    page.section("Loss on held-out text", Columns.of(byTokens(), byFlops(), bySeconds()));
    if (!samples.isEmpty()) {
      var blocks = samples.entrySet().stream().<Block>map(sample -> new Sample(sample.getKey(), sample.getValue())).toList();
      page.section("What each arm writes", new Columns(blocks));
    }
    page.section("Configuration", new Details("recipe", Json.PRETTY.writeValueAsString(comparison.recipe())),
        new Details("arms", Json.PRETTY.writeValueAsString(comparison.arms())));
    page.footnote(Text.of(
        "All arms saw the same tokens in the same order, under one schedule, from the same initial weights wherever they share a part; they took turns of a few steps, so that noise of the machine hits all alike."));
    page.footnote(Text.of(
        "Memory is computed from tensors: weights, gradients, moments, and what one pass keeps for its backward. FLOPs count a multiply-add as two, and a fixed transform by its additions. Speed is the median over steps."));
    verdict.footnotes().forEach(page::footnote);
    return page;
  }

  private Plot byTokens() {
    return plot("By data", Axis.linear("training tokens", "", Format.COUNT), linearLoss(), (arm, m) -> m.tokens());
  }

  private Plot bySeconds() {
    return plot("By time", Axis.linear("training time", "", Format.SECONDS), linearLoss(), (arm, m) -> m.seconds());
  }

  private static Axis linearLoss() {
    return Axis.linear("validation loss", "nats/token", Format.PLAIN);
  }

  private Plot plot(String title, Axis x, Axis y, ToDoubleBiFunction<ArmResult, Metric> position) {
    return Plot.of(title, x, y, arms.stream().map(arm -> curve(arm, position)).toList());
  }

  /** The mean over seeds, with each seed as a faint line beneath it. */
  private static Series curve(ArmResult arm, ToDoubleBiFunction<ArmResult, Metric> position) {
    var lines = arm.seeds().stream().map(seed -> seed.validations().stream()
        .map(m -> new Point(position.applyAsDouble(arm, m), Objects.requireNonNull(m.validationLoss()))).toList()).toList();
    return SeedCurves.of(arm.name(), lines);
  }

  private Plot byFlops() {
    var series = arms.stream().map(arm -> {
      var curve = curve(arm, (a, m) -> m.tokens() * a.flopsAToken());
      if (curve.points().isEmpty()) return curve;
      double end = curve.points().getLast().x();
      var fitted = curve.points().stream().filter(p -> p.x() >= FITTED_FROM * end).toList();
      if (fitted.size() < 3) return curve;
      var law = PowerLaw.fit(fitted.stream().map(p -> new PowerLaw.Point(p.x(), p.y())).toList());
      return curve.fit(Fit.powerLaw(law.coefficient(), law.exponent(), new Axis.Range(fitted.getFirst().x(), end),
          new Span("exponent " + Span.difference(law.exponent(), 3).text(), law.exponent())));
    }).toList();
    return Plot
        .of("By compute", Axis.log("training compute", "FLOPs", Format.COUNT), Axis.log("validation loss", "nats/token", Format.PLAIN),
            series)
        .caption("Both axes logarithmic; the dashed lines are power laws fitted to the points from a tenth of the training on.");
  }
}
