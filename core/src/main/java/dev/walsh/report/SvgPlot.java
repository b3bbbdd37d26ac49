package dev.walsh.report;

import dev.walsh.config.Json;
import dev.walsh.report.Series.Point;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;

/**
 * A plot drawn as SVG, in user units of about a pixel: horizontal grid, ticks, curves, markers. Each series is a group whose
 * {@code data-points} lists {@code [pixel x, pixel y, x, y, text of x, text of y]} of every point drawn, for the page's script and for
 * whoever checks the numbers.
 */
final class SvgPlot {
  private static final int WIDTH = 420;
  private static final int HEIGHT = 280;
  private static final int TOP = 28;
  private static final int BOTTOM = 46;
  private static final int RIGHT = 20;
  /** Room beyond the frame for half a marker. */
  private static final int BLEED = 5;
  /** A generous width of a character of the labels. */
  private static final double CHARACTER = 7.3;
  private static final int MARKERS = 6;
  private static final int LEGEND_ROW = 18;
  private static final int TITLE_ROW = 26;

  private final Plot plot;
  private final boolean empty;
  private final Ruler x;
  private final Ruler y;
  private final Ticks xTicks;
  private final Ticks yTicks;
  private final double left;

  SvgPlot(Plot plot) {
    this.plot = plot;
    var shown = plot.series().stream().flatMap(SvgPlot::extent).filter(this::isDrawable).toList();
    empty = shown.isEmpty();
    y = new Ruler(plot.y(), values(shown, Point::y), HEIGHT - BOTTOM, TOP);
    yTicks = Ticks.of(plot.y(), y.low(), y.high());
    left = 12 + CHARACTER * yTicks.ticks().stream().mapToInt(tick -> tick.label().length()).max().orElse(0);
    x = new Ruler(plot.x(), values(shown, Point::x), left, WIDTH - RIGHT);
    xTicks = Ticks.of(plot.x(), x.low(), x.high());
  }

  /** All points that a series needs room for; its fit may leave the picture. */
  private static Stream<Point> extent(Series series) {
    return Stream.of(series.points().stream(), series.faint().stream().flatMap(List::stream),
        series.band().stream().flatMap(spread -> Stream.of(new Point(spread.x(), spread.low()), new Point(spread.x(), spread.high()))))
        .flatMap(points -> points);
  }

  private static double[] values(List<Point> points, ToDoubleFunction<Point> coordinate) {
    return points.stream().mapToDouble(coordinate).toArray();
  }

  private boolean isDrawable(Point point) {
    return plot.x().holds(point.x()) && plot.y().holds(point.y());
  }

  /** The picture without title and legend, which the page sets as text. */
  String inPage() {
    var label = plot.title() + ": " + plot.y().label() + " against " + plot.x().label();
    return format("<svg class=\"plot\" viewBox=\"0 0 %d %d\" role=\"img\" tabindex=\"0\" aria-label=\"%s\" data-x=\"%s\"", WIDTH, HEIGHT,
        Markup.escape(label), Markup.escape(plot.x().label()))
        + format(" data-frame=\"%.1f %d %d %d\">\n", left, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM) + body() + "</svg>\n";
  }

  /** The picture as a file: its own title, legend, styles and paper. */
  String standalone() {
    var legend = new StringBuilder();
    double at = 12;
    int row = 0;
    for (int i = 0; i < plot.series().size(); i++) {
      var series = plot.series().get(i);
      var fit = series.fit();
      var name = fit == null ? series.name() : series.name() + ", " + fit.label().text();
      double wide = 34 + CHARACTER * name.length();
      if (at > 12 && at + wide > WIDTH) {
        at = 12;
        row++;
      }
      legend.append(format("<g transform=\"translate(%.1f %d)\">", at, TITLE_ROW + 14 + row * LEGEND_ROW)).append(Mark.of(i).sample())
          .append("<text class=\"label\" x=\"31\" y=\"4\"")
          .append(fit == null ? "" : Markup.data(fit.label().value())).append('>').append(Markup.escape(name)).append("</text></g>\n");
      at += wide + 12;
    }
    int head = TITLE_ROW + (plot.series().isEmpty() ? 0 : (row + 1) * LEGEND_ROW) + 8;
    int height = head + HEIGHT;
    return format("""
        <?xml version="1.0" encoding="UTF-8"?>
        <svg class="plot" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">
        <title>%s</title>
        <desc>%s</desc>
        <style>
        %s</style>
        <rect class="paper" width="%d" height="%d"/>
        <text class="title" x="12" y="20">%s</text>
        %s<g transform="translate(0 %d)">
        %s</g>
        </svg>
        """, WIDTH, height, WIDTH * 3 / 2, height * 3 / 2, Markup.escape(plot.title()), Markup.escape(plot.caption()),
        Markup.resource("plot.css"), WIDTH, height, Markup.escape(plot.title()), legend, head, body());
  }

  private String body() {
    var out = new StringBuilder();
    out.append(label(left, TOP - 13, "start", axisTitle(plot.y(), yTicks)));
    out.append(label(WIDTH - RIGHT, HEIGHT - 8, "end", axisTitle(plot.x(), xTicks)));
    if (empty) {
      return out.append(format("<path class=\"base\" d=\"M%.1f %dH%d\"/>\n", left, HEIGHT - BOTTOM, WIDTH - RIGHT))
          .append(label((left + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2, "middle", "no data")).toString();
    }
    appendGrid(out);
    // A nested picture cuts off what leaves the frame, without an id that a second plot on the page would clash with.
    double frameWidth = WIDTH - RIGHT - left + 2 * BLEED;
    int frameHeight = HEIGHT - BOTTOM - TOP + 2 * BLEED;
    out.append(format("<svg x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" viewBox=\"%.1f %d %.1f %d\">\n", left - BLEED, TOP - BLEED,
        frameWidth, frameHeight, left - BLEED, TOP - BLEED, frameWidth, frameHeight));
    for (int i = 0; i < plot.series().size(); i++) {
      appendSeries(out, i);
    }
    return out.append("</svg>\n").toString();
  }

  private void appendGrid(StringBuilder out) {
    if (plot.y().scale() == Axis.Scale.LOG10) {
      Ticks.minor(y.low(), y.high())
          .forEach(v -> out.append(format("<path class=\"minor\" d=\"M%.1f %.1fH%d\"/>", left, y.at(v), WIDTH - RIGHT)));
    }
    if (plot.x().scale() == Axis.Scale.LOG10) {
      Ticks.minor(x.low(), x.high())
          .forEach(v -> out.append(format("<path class=\"minor\" d=\"M%.1f %dV%d\"/>", x.at(v), TOP, HEIGHT - BOTTOM)));
      xTicks.ticks().forEach(t -> out.append(format("<path class=\"grid\" d=\"M%.1f %dV%d\"/>", x.at(t.value()), TOP, HEIGHT - BOTTOM)));
    }
    for (var tick : yTicks.ticks()) {
      double at = y.at(tick.value());
      out.append(format("<path class=\"grid\" d=\"M%.1f %.1fH%d\"/>", left, at, WIDTH - RIGHT))
          .append(tickLabel(left - 6, at + 4, "end", tick));
    }
    out.append(format("<path class=\"base\" d=\"M%.1f %dH%d\"/>\n", left, HEIGHT - BOTTOM, WIDTH - RIGHT));
    for (var tick : xTicks.ticks()) {
      double at = x.at(tick.value());
      out.append(format("<path class=\"base\" d=\"M%.1f %dv4\"/>", at, HEIGHT - BOTTOM))
          .append(tickLabel(at, HEIGHT - BOTTOM + 17, "middle", tick));
    }
  }

  private void appendSeries(StringBuilder out, int index) {
    var series = plot.series().get(index);
    var mark = Mark.of(index);
    var drawn = series.points().stream().filter(this::isDrawable).toList();
    var data = drawn.stream().map(p -> new Object[] {tenth(x.at(p.x())), tenth(y.at(p.y())), p.x(), p.y(), plot.x().format().text(p.x()),
        plot.y().format().text(p.y())}).toList();
    out.append("<g class=\"series ").append(mark.htmlClass()).append("\" data-name=\"").append(Markup.escape(series.name()))
        .append("\" data-points=\"").append(Markup.escape(Json.LINE.writeValueAsString(data))).append("\">\n");
    appendBand(out, series);
    series.faint().forEach(line -> out.append("<path class=\"faint\" d=\"").append(path(line)).append("\"/>\n"));
    var fit = series.fit();
    if (fit != null) {
      out.append("<path class=\"fit\" d=\"").append(path(fit.line())).append("\"/>\n");
    }
    out.append("<path class=\"line\" stroke-dasharray=\"").append(mark.dash()).append("\" d=\"").append(path(series.points()))
        .append("\"/>\n");
    appendMarkers(out, index, drawn.size());
    out.append("\n</g>\n");
  }

  /**
   * Few markers a curve, and not at the same places as its neighbours', so that curves that coincide can still be told apart; the last
   * point and points between gaps, which no line shows, always have one.
   */
  private void appendMarkers(StringBuilder out, int index, int drawn) {
    var series = plot.series().get(index);
    var points = series.points();
    int stride = drawn <= 2 * MARKERS ? 1 : drawn / MARKERS;
    int nth = 0;
    for (int i = 0; i < points.size(); i++) {
      var point = points.get(i);
      if (!isDrawable(point)) {
        continue;
      }
      boolean alone = (i == 0 || !isDrawable(points.get(i - 1))) && (i == points.size() - 1 || !isDrawable(points.get(i + 1)));
      if (alone || nth == drawn - 1 || nth % stride == (index * stride / 3 + stride / 2) % stride) {
        var title = series.name() + ": " + plot.y().format().text(point.y()) + " at " + plot.x().format().text(point.x());
        out.append(Mark.of(index).marker(x.at(point.x()), y.at(point.y()), "<title>" + Markup.escape(title) + "</title>"));
      }
      nth++;
    }
  }

  private void appendBand(StringBuilder out, Series series) {
    var run = new ArrayList<Series.Spread>();
    for (var spread : series.band()) {
      if (isDrawable(new Point(spread.x(), spread.low())) && isDrawable(new Point(spread.x(), spread.high()))) {
        run.add(spread);
      } else {
        appendBandRun(out, run);
        run.clear();
      }
    }
    appendBandRun(out, run);
  }

  private void appendBandRun(StringBuilder out, List<Series.Spread> run) {
    if (!run.isEmpty()) {
      var outline = Stream.concat(run.stream().map(spread -> new Point(spread.x(), spread.high())),
          run.reversed().stream().map(spread -> new Point(spread.x(), spread.low()))).toList();
      out.append("<path class=\"band\" d=\"").append(path(outline)).append("z\"/>\n");
    }
  }

  private String path(List<Point> points) {
    var out = new StringBuilder();
    boolean joined = false;
    for (var point : points) {
      boolean drawable = isDrawable(point);
      if (drawable) {
        out.append(format(joined ? "L%.1f %.1f" : "M%.1f %.1f", x.at(point.x()), y.at(point.y())));
      }
      joined = drawable;
    }
    return out.toString();
  }

  private static String axisTitle(Axis axis, Ticks ticks) {
    return ticks.unit().isEmpty() ? axis.label() : axis.label() + " (" + ticks.unit() + ")";
  }

  private static String label(double x, double y, String anchor, String text) {
    return format("<text class=\"label\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, Markup.escape(text));
  }

  private static String tickLabel(double x, double y, String anchor, Ticks.Tick tick) {
    return format("<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>%s</text>\n", x, y, anchor, Markup.data(tick.value()),
        tick.label());
  }

  private static double tenth(double pixel) {
    return Math.round(10 * pixel) / 10.0;
  }

  private static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern, values);
  }
}
