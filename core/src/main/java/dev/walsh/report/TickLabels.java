package dev.walsh.report;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;

/** The labels of an axis's ticks, as short as they can be without losing a digit, and the unit that they share. */
record TickLabels(List<String> texts, String unit) {
  private static final int LARGEST_PLAIN_EXPONENT = 5;
  private static final int SMALLEST_PLAIN_EXPONENT = -3;
  private static final int LARGEST_COUNT_EXPONENT = 23;

  static TickLabels of(List<BigDecimal> numbers, Axis.Scale scale, Format format, String unit) {
    int largest = numbers.stream().mapToInt(TickLabels::exponent).max().orElse(0);
    if (format == Format.COUNT && largest <= LARGEST_COUNT_EXPONENT && largest >= SMALLEST_PLAIN_EXPONENT) {
      return new TickLabels(counts(numbers, scale), unit);
    }
    if (scale == Axis.Scale.LOG10 && exponent(numbers.getFirst()) < largest) {
      return new TickLabels(numbers.stream().map(TickLabels::power).toList(), unit);
    }
    if (largest <= LARGEST_PLAIN_EXPONENT && largest >= SMALLEST_PLAIN_EXPONENT) {
      return new TickLabels(aligned(numbers), unit);
    }
    // A power of ten that all labels share is said once, in the unit.
    var scaled = numbers.stream().map(number -> number.scaleByPowerOfTen(-largest)).toList();
    return new TickLabels(aligned(scaled), ("×" + Format.power(10, largest) + " " + unit).strip());
  }

  /** Numbers with a prefix: the largest one's for all on a linear axis, each its own on a logarithmic one, where the sizes differ. */
  private static List<String> counts(List<BigDecimal> numbers, Axis.Scale scale) {
    double largest = numbers.stream().mapToDouble(number -> number.abs().doubleValue()).max().orElse(0);
    if (scale == Axis.Scale.LINEAR) {
      var step = Format.COUNT.step(largest, 1);
      return aligned(numbers.stream().map(number -> over(number, step)).toList()).stream()
          .map(text -> text.equals("0") ? text : text + step.name())
          .toList();
    }
    return numbers.stream().map(number -> {
      var step = Format.COUNT.step(number.doubleValue(), 1);
      return power(over(number, step)) + step.name();
    }).toList();
  }

  private static BigDecimal over(BigDecimal number, Format.Step step) {
    return number.divide(new BigDecimal(step.size()));
  }

  /** All with as many decimals as the one that needs most; zero is just 0. */
  private static List<String> aligned(List<BigDecimal> numbers) {
    int decimals = Math.max(0, numbers.stream().mapToInt(number -> number.stripTrailingZeros().scale()).max().orElse(0));
    return numbers.stream().map(
        number -> number.signum() == 0 ? "0" : Format.minus(number.setScale(decimals, RoundingMode.UNNECESSARY).toPlainString())).toList();
  }

  /** 0.01, 10, 300 as they are; 10⁻⁵ and 3×10⁸ as powers. */
  private static String power(BigDecimal number) {
    int exponent = exponent(number);
    if (exponent <= LARGEST_PLAIN_EXPONENT && exponent >= SMALLEST_PLAIN_EXPONENT) {
      return number.stripTrailingZeros().toPlainString();
    }
    var mantissa = number.scaleByPowerOfTen(-exponent).stripTrailingZeros().toPlainString();
    return (mantissa.equals("1") ? "" : mantissa + "×") + Format.power(10, exponent);
  }

  /** The power of ten of the first digit; of zero, the smallest there is. */
  private static int exponent(BigDecimal number) {
    return number.signum() == 0 ? Integer.MIN_VALUE : number.precision() - number.scale() - 1;
  }
}
