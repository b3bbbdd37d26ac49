package dev.walsh.report;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A named curve: its points in the order in which they are joined, faint lines beneath it such as single seeds, a band such as an
 * interval, and a fitted line. A point with NaN, or one that its axis cannot hold, leaves a gap. A series without points keeps its place,
 * and so its colour and its mark, among the series of a plot.
 */
public record Series(String name, List<Point> points, List<List<Point>> faint, List<Spread> band, @Nullable Fit fit) {
  public record Point(double x, double y) {}

  /** The band at x, from low to high. */
  public record Spread(double x, double low, double high) {}

  /** A fitted line, drawn dashed, with a label such as its exponent. */
  public record Fit(List<Point> line, Span label) {
    public Fit {
      line = List.copyOf(line);
    }

    /** y = coefficient · x^exponent over a range of x: a straight line where both axes are logarithmic. */
    public static Fit powerLaw(double coefficient, double exponent, Axis.Range range, Span label) {
      return new Fit(List.of(new Point(range.low(), coefficient * Math.pow(range.low(), exponent)),
          new Point(range.high(), coefficient * Math.pow(range.high(), exponent))), label);
    }
  }

  public Series {
    points = List.copyOf(points);
    faint = faint.stream().map(List::copyOf).toList();
    band = List.copyOf(band);
  }

  public static Series of(String name, List<Point> points) {
    return new Series(name, points, List.of(), List.of(), null);
  }

  /** This series with one more faint line. */
  public Series faint(List<Point> line) {
    var lines = new ArrayList<>(faint);
    lines.add(line);
    return new Series(name, points, lines, band, fit);
  }

  public Series band(List<Spread> spreads) {
    return new Series(name, points, faint, spreads, fit);
  }

  public Series fit(Fit line) {
    return new Series(name, points, faint, band, line);
  }
}
