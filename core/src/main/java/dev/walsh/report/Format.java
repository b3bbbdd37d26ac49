package dev.walsh.report;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.List;

/** How numbers of a kind are written for people: rounded, and in a unit that suits their size. */
public enum Format {
  /** Five significant digits: losses, ratios. */
  PLAIN(5, List.of()),
  /** Four digits and a prefix: 12.35M tokens, 1.200P FLOPs. */
  COUNT(4, List.of(new Step(1, ""), new Step(1e3, "k"), new Step(1e6, "M"), new Step(1e9, "G"), new Step(1e12, "T"), new Step(1e15, "P"),
      new Step(1e18, "E"), new Step(1e21, "Z"))),
  /** A time in seconds: 12.00 s, 3.250 min, 1.500 h, 2.100 d. */
  SECONDS(4, List.of(new Step(1, "s"), new Step(60, "min"), new Step(3600, "h"), new Step(86_400, "d"))),
  /** A size in bytes: 1.500 GiB. */
  BYTES(4, List.of(new Step(1, "B"), new Step(0x1p10, "KiB"), new Step(0x1p20, "MiB"), new Step(0x1p30, "GiB"), new Step(0x1p40, "TiB")));

  /** A unit and how many base units it holds. */
  record Step(double size, String name) {}

  private static final int LARGEST_PLAIN_EXPONENT = 6;
  private static final int SMALLEST_PLAIN_EXPONENT = -4;

  private final int digits;
  private final List<Step> steps;

  Format(int digits, List<Step> steps) {
    this.digits = digits;
    this.steps = steps;
  }

  /** The number as people read it, with a true minus sign; integers below a thousand keep no fraction, NaN is a dash. */
  public String text(double value) {
    if (!Double.isFinite(value)) {
      return Double.isNaN(value) ? "–" : value > 0 ? "∞" : "−∞";
    }
    // Rounded first, so that 999 960 is 1.000M and not 1000k.
    var step = step(Math.abs(round(value, digits).doubleValue()), 1);
    var number = significant(value / step.size(), digits);
    if (this == COUNT) {
      return number + step.name();
    }
    return this == PLAIN ? number : number + " " + step.name();
  }

  /** The largest unit of which {@code size} holds at least {@code atLeast}, or the smallest unit. */
  Step step(double size, double atLeast) {
    var found = steps.isEmpty() ? new Step(1, "") : steps.getFirst();
    for (var step : steps) {
      if (size >= atLeast * step.size()) {
        found = step;
      }
    }
    return found;
  }

  /** A number with its sign and this many decimals; what rounds to zero has no sign. */
  static String signed(double value, int decimals) {
    if (!Double.isFinite(value)) {
      return PLAIN.text(value);
    }
    var rounded = BigDecimal.valueOf(value).setScale(decimals, RoundingMode.HALF_UP);
    return (rounded.signum() > 0 ? "+" : "") + minus(rounded.toPlainString());
  }

  private static String significant(double value, int digits) {
    if (value == Math.rint(value) && Math.abs(value) < 1000) {
      return minus(Long.toString((long) value));
    }
    var rounded = round(value, digits);
    int exponent = rounded.precision() - rounded.scale() - 1;
    if (exponent > LARGEST_PLAIN_EXPONENT || exponent < SMALLEST_PLAIN_EXPONENT) {
      return minus(rounded.scaleByPowerOfTen(-exponent).stripTrailingZeros().toPlainString()) + "×" + power(10, exponent);
    }
    return minus(rounded.setScale(Math.max(0, digits - 1 - exponent)).toPlainString());
  }

  /** Rounded as the number prints: 1.30755 to 1.3076, though the double is a little less. */
  private static BigDecimal round(double value, int digits) {
    return BigDecimal.valueOf(value).round(new MathContext(digits));
  }

  /** A power in print: 10⁻³. */
  static String power(int base, int exponent) {
    var out = new StringBuilder().append(base);
    Integer.toString(exponent).chars().forEach(c -> out.append(c == '-' ? '⁻' : "⁰¹²³⁴⁵⁶⁷⁸⁹".charAt(c - '0')));
    return out.toString();
  }

  /** A number's text with a true minus sign in place of the hyphen. */
  static String minus(String number) {
    return number.replace('-', '−');
  }
}
