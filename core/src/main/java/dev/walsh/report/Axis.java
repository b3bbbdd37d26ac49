package dev.walsh.report;

import org.jspecify.annotations.Nullable;

/**
 * A plot's axis: what it measures, in which unit (empty for none; times and sizes bring their own), how its numbers are written, its
 * scale, and the range it shows, or null for all of the data.
 */
public record Axis(String label, String unit, Format format, Scale scale, @Nullable Range range) {
  /** How numbers become distances. */
  public enum Scale {
    LINEAR, LOG10
  }

  /** From low to high. */
  public record Range(double low, double high) {
    /** @throws IllegalArgumentException unless low is below high */
    public Range {
      if (!(low < high)) {
        throw new IllegalArgumentException("a range from " + low + " to " + high);
      }
    }
  }

  /** @throws IllegalArgumentException for a range that the axis cannot show, such as one from zero on a logarithmic axis */
  public Axis {
    if (range != null && !(holds(scale, range.low()) && holds(scale, range.high()))) {
      throw new IllegalArgumentException("a " + scale + " axis from " + range.low() + " to " + range.high());
    }
  }

  public static Axis linear(String label, String unit, Format format) {
    return new Axis(label, unit, format, Scale.LINEAR, null);
  }

  public static Axis log(String label, String unit, Format format) {
    return new Axis(label, unit, format, Scale.LOG10, null);
  }

  /** This axis showing low to high alone; what lies outside is cut off. */
  public Axis within(double low, double high) {
    return new Axis(label, unit, format, scale, new Range(low, high));
  }

  /** Whether a number has a place on this kind of axis; NaN, infinities and, under a logarithm, zero and less have none. */
  boolean holds(double value) {
    return holds(scale, value);
  }

  private static boolean holds(Scale scale, double value) {
    return Math.abs(value) <= Ruler.LARGEST && (scale == Scale.LINEAR || value >= Ruler.SMALLEST);
  }
}
