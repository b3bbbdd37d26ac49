package dev.walsh.report;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * The labelled positions of an axis: three to eight round numbers inside its range, in rising order, and the unit that the labels share.
 * A linear axis takes the coarsest step of 1, 2 or 5 times a power of ten that gives three; a logarithmic axis takes whole decades, or
 * 1-3 or 1-2-5 of each decade, or, below about half a decade, linear steps. Times and sizes are round in the unit that suits the range.
 */
record Ticks(List<Tick> ticks, String unit) {
  private static final int FEWEST = 3;
  private static final int MOST = 8;
  private static final int[] STEPS = {5, 2, 1};
  private static final int[] STRIDES = {1, 2, 3, 5, 10, 20, 50, 100, 200};
  private static final int[][] MANTISSAS = {{1, 3}, {1, 2, 5}};
  private static final int[] BETWEEN_DECADES = {2, 3, 4, 5, 6, 7, 8, 9};
  private static final int MOST_DECADES_WITH_MINOR_LINES = 5;
  /** A linear axis of times or sizes changes to the next unit where its range spans this many of them. */
  private static final double UNITS_A_RANGE = 2;

  record Tick(double value, String label) {}

  /** The ticks of an axis from low to high, both finite, low below high, and on a logarithmic axis above zero. */
  static Ticks of(Axis axis, double low, double high) {
    boolean linear = axis.scale() == Axis.Scale.LINEAR;
    var unit = switch (axis.format()) {
      case PLAIN, COUNT -> new Format.Step(1, axis.unit());
      case SECONDS, BYTES -> linear ? axis.format().step(high - low, UNITS_A_RANGE) : axis.format().step(high, 1);
    };
    var numbers = linear ? linear(low / unit.size(), high / unit.size()) : log(low / unit.size(), high / unit.size());
    var labels = TickLabels.of(numbers, axis.scale(), axis.format(), unit.name());
    // The division above may have moved an end by the last bit.
    var ticks = IntStream.range(0, numbers.size())
        .mapToObj(i -> new Tick(Math.clamp(numbers.get(i).doubleValue() * unit.size(), low, high), labels.texts().get(i))).toList();
    return new Ticks(ticks, labels.unit());
  }

  /** The positions of a logarithmic axis's unlabelled lines: 2 to 9 times each power of ten; none where it spans many decades. */
  static List<Double> minor(double low, double high) {
    return Math.log10(high) - Math.log10(low) > MOST_DECADES_WITH_MINOR_LINES
        ? List.of()
        : decades(1, BETWEEN_DECADES, low, high).stream().map(BigDecimal::doubleValue).toList();
  }

  private static List<BigDecimal> linear(double low, double high) {
    double range = high - low;
    for (int exponent = (int) Math.floor(Math.log10(range));; exponent--) {
      for (int step : STEPS) {
        if (range / step / Math.pow(10, exponent) >= FEWEST) {
          return multiples(BigDecimal.valueOf(step).scaleByPowerOfTen(exponent), low, high);
        }
      }
    }
  }

  /** Decimal arithmetic on the ends as they print, so that 0.3 is 0.3 and a tick at the very end of the range counts. */
  private static List<BigDecimal> multiples(BigDecimal step, double low, double high) {
    long first = BigDecimal.valueOf(low).divide(step, 0, RoundingMode.CEILING).longValueExact();
    long last = BigDecimal.valueOf(high).divide(step, 0, RoundingMode.FLOOR).longValueExact();
    return LongStream.rangeClosed(first, last).mapToObj(k -> BigDecimal.valueOf(k).multiply(step)).toList();
  }

  private static List<BigDecimal> log(double low, double high) {
    for (int stride : STRIDES) {
      var ticks = decades(stride, new int[] {1}, low, high);
      if (ticks.size() >= FEWEST && ticks.size() <= MOST) {
        return ticks;
      }
    }
    for (var mantissas : MANTISSAS) {
      var ticks = decades(1, mantissas, low, high);
      if (ticks.size() >= FEWEST && ticks.size() <= MOST) {
        return ticks;
      }
    }
    return linear(low, high);
  }

  /** The mantissas times each power of ten whose exponent the stride divides. */
  private static List<BigDecimal> decades(int stride, int[] mantissas, double low, double high) {
    int first = Math.floorDiv((int) Math.floor(Math.log10(low)), stride) - 1;
    int last = Math.floorDiv((int) Math.floor(Math.log10(high)), stride) + 1;
    var from = BigDecimal.valueOf(low);
    var to = BigDecimal.valueOf(high);
    return IntStream.rangeClosed(first, last).boxed()
        .flatMap(k -> IntStream.of(mantissas).mapToObj(m -> BigDecimal.valueOf(m).scaleByPowerOfTen(k * stride)))
        .filter(tick -> tick.compareTo(from) >= 0 && tick.compareTo(to) <= 0).toList();
  }
}
