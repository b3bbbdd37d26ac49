package dev.walsh.measure;

import java.util.Locale;

/** Amounts as people read them: three digits and a unit. */
final class Amount {
  private static final String[] THOUSANDS = {"", "k", "M", "G", "T", "P"};

  private Amount() {}

  /** Bytes of memory or disk in GiB. */
  static String bytes(long bytes) {
    double gibibytes = bytes / (double) (1L << 30);
    return String.format(Locale.ROOT, gibibytes < 10 ? "%.1f GiB" : "%.0f GiB", gibibytes);
  }

  /** A rate in the largest decimal unit that leaves at least 1, such as {@code 135 GFLOP/s}. */
  static String rate(double perSecond, String unit) {
    int power = 0;
    double value = perSecond;
    while (value >= 1000 && power < THOUSANDS.length - 1) {
      value /= 1000;
      power++;
    }
    return String.format(Locale.ROOT, value < 10 ? "%.1f %s%s/s" : "%.0f %s%s/s", value, THOUSANDS[power], unit);
  }
}
