package dev.walsh.study.findings;

import dev.walsh.report.Axis;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Plot;
import dev.walsh.report.Series;
import dev.walsh.report.Series.Spread;
import dev.walsh.report.Table;
import dev.walsh.study.Arm;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * The arms' gaps to dense while they train, as a plot, as numbers, and by where they change their sign.
 *
 * @param gaps by arm; dense has one too, of zeros
 */
record Gaps(Setting setting, Map<String, Gap> gaps) {
  /** The share of the training from which on gaps are shown; before it the learning rate still rises. */
  private static final double SHOWN_FROM = 0.05;
  /** Nats a token; an arm farther off at first, and farther than any ends, is drawn from where it no longer is, lest it press all flat. */
  private static final double WIDEST_BEGINNING = 0.1;
  /** Seeds from which on a gap is drawn as an interval; that of two is wider than all there is to see, so their own lines stand for it. */
  private static final int SEEDS_OF_A_BAND = 3;
  /** Arms, dense among them, whose spread can be told apart in one picture. */
  private static final int MOST_SPREAD = 5;
  /** The table's last column is the end, and each before it half as far on. */
  private static final int COLUMNS = 5;

  Gaps {
    gaps = new LinkedHashMap<>(gaps);
  }

  static Gaps of(Setting setting) {
    var gaps = new LinkedHashMap<String, Gap>();
    for (var arm : setting.arms().keySet()) gaps.put(arm, Gap.of(setting, arm, Arm.BASELINE));
    return new Gaps(setting, gaps);
  }

  Plot plot() {
    boolean hasSpread = gaps.values().stream().filter(gap -> !gap.points().isEmpty()).count() <= MOST_SPREAD;
    // Dense keeps its place, and with it every arm its colour; its line is the axis.
    double widest = gaps.values().stream().filter(gap -> !gap.points().isEmpty())
        .mapToDouble(gap -> Math.abs(gap.points().getLast().difference().mean())).reduce(WIDEST_BEGINNING, Math::max);
    var series = gaps.values().stream().map(gap -> series(gap, widest, hasSpread && !gap.arm().equals(Arm.BASELINE))).toList();
    return Plot.of("Gap to dense", Axis.log("training tokens", "", Format.COUNT),
        Axis.linear("loss less that of dense", "nats/token", Format.PLAIN), series)
        .caption(hasSpread
            ? "Bands are 95% intervals over three seeds or more; thin lines are the seeds of two."
            : "Means over seeds; the table below has their intervals.");
  }

  private Series series(Gap gap, double widest, boolean hasSpread) {
    var shown = gap.points().stream().filter(this::isShown).dropWhile(p -> Math.abs(p.difference().mean()) > widest).toList();
    var series = Series.of(gap.arm(), shown.stream().map(p -> new Series.Point(p.tokens(), p.difference().mean())).toList());
    int seeds = shown.isEmpty() ? 0 : shown.getFirst().seeds().size();
    if (!hasSpread || seeds < 2) return series;
    if (seeds >= SEEDS_OF_A_BAND) {
      return series.band(shown.stream().map(p -> new Spread(p.tokens(), p.difference().low(), p.difference().high())).toList());
    }
    for (int i = 0; i < seeds; i++) {
      int seed = i;
      series = series.faint(shown.stream().map(p -> new Series.Point(p.tokens(), p.seeds().get(seed))).toList());
    }
    return series;
  }

  private boolean isShown(Gap.Point point) {
    return point.tokens() >= SHOWN_FROM * setting.tokens();
  }

  /** The gaps at the end and each time half as far on before, with their intervals. */
  Table table() {
    var read = new TreeSet<Double>();
    for (var gap : gaps.values()) gap.points().stream().filter(this::isShown).forEach(p -> read.add(p.tokens()));
    var columns = new ArrayList<>(List.of(Column.text("arm")));
    var halvings = read.isEmpty() ? List.<Double>of() : halvings(read);
    for (double tokens : halvings) columns.add(Column.number(Format.COUNT.text(tokens), "tokens"));
    var table = new Table("Gap to dense by training tokens, nats a token; with 95% t-intervals, strong where they exclude zero", columns,
        List.of());
    for (var arm : setting.others()) {
      var points = gaps.getOrDefault(arm, new Gap(arm, List.of())).points();
      var row = new ArrayList<>(List.of(Cell.of(arm).strong()));
      for (double tokens : halvings) {
        row.add(points.stream().filter(p -> p.tokens() == tokens).findFirst().map(p -> Words.cell(p.difference(), 4)).orElse(Cell.none()));
      }
      table = table.row(row.toArray(Cell[]::new));
    }
    return table;
  }

  /** Of the validations the last, and those nearest to a half of it, a quarter of it and so on, in rising order. */
  private static List<Double> halvings(TreeSet<Double> read) {
    return IntStream.range(0, COLUMNS).mapToObj(i -> read.last() / (1 << i)).filter(t -> t >= read.first() / Math.sqrt(2))
        .map(t -> read.stream().min((a, b) -> Double.compare(Math.abs(Math.log(a / t)), Math.abs(Math.log(b / t)))).orElseThrow())
        .distinct().sorted().toList();
  }

  Table crossings() {
    var table = Table.of("Since when an arm is on its side of dense; proven where the intervals before and after exclude zero",
        Column.text("arm"), Column.text("side"), Column.number("since", "tokens"), Column.text("proven"));
    for (var arm : setting.others()) {
      var gap = gaps.get(arm);
      if (gap == null || gap.points().isEmpty()) continue;
      var crossing = gap.crossing();
      var side = gap.points().getLast().difference().mean() < 0 ? "below" : "above";
      table = table.row(Cell.of(arm).strong(), Cell.of(side),
          crossing == null ? Cell.of("the beginning") : Cell.of(crossing.tokens(), Format.COUNT),
          crossing == null ? Cell.none() : Cell.of(crossing.isProven() ? "yes" : "no"));
    }
    return table;
  }
}
