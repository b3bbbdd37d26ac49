package dev.walsh.report;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;

final class FormatTest {
  @ParameterizedTest
  @CsvSource({"PLAIN, 1.312345, 1.3123", "PLAIN, -0.5, −0.50000", "PLAIN, 42, 42", "PLAIN, 0, 0", "PLAIN, 3e-9, 3×10⁻⁹",
      "PLAIN, 1234567.8, 1234600", "PLAIN, 1.30755, 1.3076", "PLAIN, 1.0000000001, 1.0000",
      "PLAIN, NaN, –", "PLAIN, -Infinity, −∞", "COUNT, 12345678, 12.35M", "COUNT, 999, 999", "COUNT, 1.2e15, 1.200P", "COUNT, 2000, 2k",
      "COUNT, 999960, 1.000M", "SECONDS, 12, 12 s", "SECONDS, 195, 3.250 min", "SECONDS, 5400, 1.500 h", "BYTES, 1610612736, 1.500 GiB",
      "BYTES, 100, 100 B"})
  void numbersAreRoundedInTheUnitThatSuitsThem(Format format, double value, String shown) {
    assertThat(format.text(value)).isEqualTo(shown);
  }

  @ParameterizedTest
  @CsvSource({"0.01924, 4, +0.0192", "-0.5, 1, −0.5", "-0.0001, 2, 0.00", "NaN, 2, –"})
  void differencesHaveTheirSign(double value, int decimals, String shown) {
    assertThat(Span.difference(value, decimals)).isEqualTo(new Span(shown, value));
  }
}
