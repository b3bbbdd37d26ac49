package dev.walsh.report;

import java.util.stream.DoubleStream;

/** An axis laid along a picture: the range it shows and the pixels of both ends. */
final class Ruler {
  /** Beyond these the difference or quotient of two numbers may itself be out of range. */
  static final double LARGEST = 1e300;
  static final double SMALLEST = 1e-300;
  /** The share of a linear range that is left empty at each end, so that no curve runs along the frame. */
  private static final double MARGIN = 0.04;
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
      double factor = most / least > 1 + NARROWEST ? Math.pow(most / least, MARGIN) : 2;
      low = least / factor;
      high = most * factor;
    } else {
      double least = DoubleStream.of(values).min().orElse(0);
      double most = DoubleStream.of(values).max().orElse(1);
      double size = Math.max(Math.abs(least), Math.abs(most));
      double margin = most - least > Math.max(NARROWEST * size, SMALLEST) ? MARGIN * (most - least) : size < SMALLEST ? 1 : size / 2;
      // A measure that starts at nothing is drawn from nothing on.
      low = least >= 0 && least - margin <= 0 ? Math.min(0, least) : least - margin;
      high = most + margin;
    }
  }

  double low() {
    return low;
  }

  double high() {
    return high;
  }

  /** The pixel of a value. */
  double at(double value) {
    double share = log ? (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low)) : (value - low) / (high - low);
    return start + share * (end - start);
  }
}
