package dev.walsh.report;

import java.util.List;
import java.util.Locale;

/**
 * How one series differs from the others to eyes of every kind: a colour, a dash and a marker's shape. There are nine colours (defined in
 * the styles as {@code s0} to {@code s8}), five dashes and five shapes, so that forty-five series differ in at least one.
 */
record Mark(String htmlClass, String dash, int shape) {
  private static final int COLOURS = 9;
  private static final List<String> DASHES = List.of("none", "7 3", "2.5 2.5", "9 3 2.5 3", "4.5 2");
  /** Circle, square, triangle, diamond, inverted triangle: each about as heavy as the others, around the origin. */
  private static final List<String> SHAPES = List.of("M-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z", "M-2.7 -2.7h5.4v5.4h-5.4z",
      "M0 -3.6L3.4 2.4H-3.4z", "M0 -3.8L3.8 0L0 3.8L-3.8 0z", "M0 3.6L3.4 -2.4H-3.4z");

  static Mark of(int series) {
    return new Mark("s" + series % COLOURS, DASHES.get(series % DASHES.size()), series % SHAPES.size());
  }

  /** A stretch of the line with its marker, 26 wide, around y = 0. */
  String sample() {
    return "<g class=\"%s\"><path class=\"line\" stroke-dasharray=\"%s\" d=\"M1 0H25\"/>%s</g>".formatted(htmlClass, dash,
        marker(13, 0, ""));
  }

  /** The marker at a place, with markup inside such as a title. */
  String marker(double x, double y, String inside) {
    return String.format(Locale.ROOT, "<path class=\"marker\" transform=\"translate(%.1f %.1f)\" d=\"%s\">%s</path>", x, y,
        SHAPES.get(shape), inside);
  }
}
