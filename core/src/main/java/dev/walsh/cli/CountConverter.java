package dev.walsh.cli;

import java.math.BigDecimal;
import java.util.Locale;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** A count on the command line, such as 4096, 64K, 1.5M or 2B (thousands, millions, billions). */
final class CountConverter implements ITypeConverter<Long> {
  private static final Pattern COUNT = Pattern.compile("(\\d{1,18}(?:\\.\\d{1,9})?)([KMBkmb]?)");

  @Override
  public Long convert(String value) {
    var count = COUNT.matcher(value);
    if (count.matches()) {
      int thousands = " KMB".indexOf(count.group(2).isEmpty() ? " " : count.group(2).toUpperCase(Locale.ROOT));
      try {
        return new BigDecimal(count.group(1)).scaleByPowerOfTen(3 * thousands).longValueExact();
      } catch (ArithmeticException notWhole) {
        // Falls through to the message below.
      }
    }
    throw new TypeConversionException("'" + value + "' is no count: write it like 4096, 64K, 1.5M or 2B");
  }
}
