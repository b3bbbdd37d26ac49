package dev.walsh.report;

import java.util.stream.DoubleStream;

/** An axis laid along a picture: the range it shows and the pixels of both ends. */
final class Ruler {
  /** The largest and, on a logarithmic axis, the smallest number shown, so that differences and margins stay in the range of a double. */
  static final double LARGEST = 1e280;
  static final double SMALLEST = 1e-280;
  /** The share of a linear range that is left empty at each end, so that no curve runs along the frame. */
  private static final double MARGIN = 0.04;
  /** Pixels that renderers still draw lines to exactly. */
  private static final double FARTHEST = 1e5;
  /** Ranges below this share of their numbers hold no distinguishable ticks. */
  private static final double NARROWEST = 1e-12;

  private final boolean log;
  private final double low;
  private final double high;
  private final double start;
  private final double end;

  /** An axis over these values, all of which it holds; the pixel of its low end, and of its high end. */
  Ruler(Axis axis, double[] values, double start, double end) {
    log = axis.scale() == Axis.Scale.LOG10;
    this.start = start;
    this.end = end;
    var range = axis.range();
    if (range != null) {
      low = range.low();
      high = range.high();
    } else if (log) {
      double least = DoubleStream.of(values).min().orElse(1);
      double most = DoubleStream.of(values).max().orElse(10);
      double ratio = Math.log(most) - Math.log(least);
      double factor = ratio > NARROWEST ? Math.exp(MARGIN * ratio) : 2;
      low = least / factor;
      high = most * factor;
    } else {
      double least = DoubleStream.of(values).min().orElse(0);
      double most = DoubleStream.of(values).max().orElse(1);
      double size = Math.max(Math.abs(least), Math.abs(most));
      double margin = most - least > Math.max(NARROWEST * size, SMALLEST) ? MARGIN * (most - least) : size < SMALLEST ? 1 : size / 2;
      // A measure that starts at nothing is drawn from nothing on.
      low = least >= 0 && least - margin <= 0 ? 0 : least - margin;
      high = most + margin;
    }
  }

  double low() {
    return low;
  }

  double high() {
    return high;
  }

  /** The pixel of a value; far outside the range, one that is merely far outside. */
  double at(double value) {
    double share = log ? (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low)) : (value - low) / (high - low);
    return Math.clamp(start + share * (end - start), -FARTHEST, FARTHEST);
  }
}
