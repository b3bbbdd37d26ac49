package dev.walsh.report;

import java.util.List;
import java.util.Locale;

/**
 * A grid of ratios as a picture: each number stands in its cell, on a colour for above one or one for below it, the stronger the farther from
 * one; cells without a number stay empty.
 *
 * @param rows the names of the rows, from the top, and what they are ({@code rowLabel})
 * @param values by row, then column; NaN for none
 */
public record HeatMap(String title, String caption, String rowLabel, List<String> rows, String columnLabel, List<String> columns,
    List<List<Double>> values) implements Block {
  private static final int PAGE_WIDTH = 420;
  private static final int CELL_WIDTH = 48;
  private static final int CELL_HEIGHT = 26;
  private static final int LEFT = 62;
  private static final int TOP = 40;
  private static final int MARGIN = 12;
  private static final int TITLE_ROW = 28;
  /** The most opaque that a colour is, so that ink stays readable on it. */
  private static final double STRONGEST = 0.7;
  /** The distance to one that has the strongest colour, at least: small differences shall not shout. */
  private static final double FULL = 0.1;

  /** @throws IllegalArgumentException unless there is a value or NaN for each row and column */
  public HeatMap {
    rows = List.copyOf(rows);
    columns = List.copyOf(columns);
    values = values.stream().map(List::copyOf).toList();
    int width = columns.size();
    if (values.size() != rows.size() || values.stream().anyMatch(row -> row.size() != width)) {
      throw new IllegalArgumentException("values for other rows or columns than " + rows.size() + " and " + width);
    }
  }

  /** Of the picture in a page, where all pictures are shown equally wide. */
  private int pageWidth() {
    return Math.max(PAGE_WIDTH, width());
  }

  private int width() {
    return LEFT + Math.max(1, columns.size()) * CELL_WIDTH + MARGIN;
  }

  private int height() {
    return TOP + Math.max(1, rows.size()) * CELL_HEIGHT + MARGIN;
  }

  /** A picture in a file of its own: SVG with its title and styles, for light and dark. */
  public String toSvg() {
    int whole = height() + TITLE_ROW;
    int wide = Math.max(width(), (int) (2 * MARGIN + 8.2 * title.length()));
    return format("""
        <?xml version="1.0" encoding="UTF-8"?>
        <svg class="plot" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">
        <title>%s</title>
        <desc>%s</desc>
        <style>
        %s</style>
        <rect class="paper" width="%d" height="%d"/>
        <text class="title" x="%d" y="20">%s</text>
        <g transform="translate(0 %d)">
        %s</g>
        </svg>
        """, wide, whole, wide * 3 / 2, whole * 3 / 2, Markup.escape(title), Markup.escape(caption), Markup.resource("plot.css"), wide,
        whole,
        MARGIN, Markup.escape(title), TITLE_ROW, body());
  }

  @Override
  public String toHtml() {
    return format("""
        <figure class="plot">
        <figcaption>%s</figcaption>
        <ul class="legend"><li>%s</li><li>%s</li></ul>
        <div class="picture"><svg class="plot" viewBox="0 0 %d %d" role="img" aria-label="%s" data-frame="0 0 %d %d">
        %s</svg>
        </div>
        <p class="caption">%s</p>
        </figure>
        """, Markup.escape(title), sample("above", "above one"), sample("below", "below one"), pageWidth(), height(), Markup.escape(title
        + ": by " + rowLabel + " and " + columnLabel), pageWidth(), height(), body(), Markup.escape(caption));
  }

  private static String sample(String htmlClass, String name) {
    return "<svg class=\"plot\" viewBox=\"0 0 26 12\" width=\"26\" height=\"12\" aria-hidden=\"true\"><rect class=\"" + htmlClass
        + "\" width=\"26\" height=\"12\" fill-opacity=\"" + STRONGEST + "\"/></svg>" + name;
  }

  private String body() {
    var out = new StringBuilder();
    out.append(text(LEFT - 8, TOP - 8, "end", "label", rowLabel));
    out.append(text(width() - MARGIN, 12, "end", "label", columnLabel));
    for (int c = 0; c < columns.size(); c++) out.append(text(LEFT + (c + 0.5) * CELL_WIDTH, TOP - 8, "middle", "tick", columns.get(c)));
    double farthest = values.stream().flatMap(List::stream).filter(Double::isFinite).mapToDouble(v -> Math.abs(v - 1)).max().orElse(0);
    double full = Math.max(FULL, farthest);
    for (int r = 0; r < rows.size(); r++) {
      double y = TOP + r * CELL_HEIGHT;
      out.append(text(LEFT - 8, y + CELL_HEIGHT / 2.0 + 4, "end", "tick", rows.get(r)));
      for (int c = 0; c < columns.size(); c++) appendCell(out, LEFT + c * CELL_WIDTH, y, values.get(r).get(c), full);
    }
    return out.toString();
  }

  private static void appendCell(StringBuilder out, double x, double y, double value, double full) {
    boolean known = Double.isFinite(value);
    out.append(format("<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\" fill-opacity=\"%.3f\"/>",
        !known ? "none" : value < 1 ? "below" : "above", x + 1, y + 1, CELL_WIDTH - 2, CELL_HEIGHT - 2, known
            ? STRONGEST * Math.min(1, Math.abs(value - 1) / full)
            : 1));
    if (known) {
      out.append(format("<text class=\"value\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\"%s>%.3f</text>", x + CELL_WIDTH / 2.0,
          y + CELL_HEIGHT / 2.0 + 4, Markup.data(value), value));
    }
    out.append('\n');
  }

  private static String text(double x, double y, String anchor, String htmlClass, String words) {
    return format("<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", htmlClass, x, y, anchor, Markup.escape(words));
  }

  private static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern, values);
  }
}
