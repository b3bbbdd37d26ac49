package dev.walsh.report;

import java.math.BigDecimal;
import java.math.MathContext;
import org.jspecify.annotations.Nullable;

/**
 * A run of text that may show a number: the text is what the reader sees, the value is the number behind it, unrounded. The page carries
 * the value in a {@code data-value} attribute, so that every number shown can be recomputed from its source.
 */
public record Span(String text, @Nullable Double value) {
  /** Text that shows no number. */
  public static Span of(String text) {
    return new Span(text, null);
  }

  /** A number as the format writes it, for instance 12.35M for 12 345 678 under {@link Format#COUNT}. */
  public static Span of(double value, Format format) {
    return new Span(format.text(value), value);
  }

  /** A number that somebody chose, such as a learning rate: to three digits, without zeros at the end. */
  public static Span chosen(double value) {
    return new Span(BigDecimal.valueOf(value).round(new MathContext(3)).stripTrailingZeros().toPlainString(), value);
  }

  /** A difference with its sign: +0.0192, −0.5, 0.00. */
  public static Span difference(double value, int decimals) {
    return new Span(Format.signed(value, decimals), value);
  }

  /** A share's difference to one, as a percentage with its sign: −7.9% for −0.0793. */
  public static Span percent(double share) {
    return new Span(Format.signed(100 * share, 1) + "%", share);
  }

  String toHtml() {
    return value == null
        ? Markup.escape(text)
        : "<span" + Markup.data(value) + ">" + Markup.escape(text) + "</span>";
  }
}
