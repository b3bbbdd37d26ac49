package dev.walsh.report;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** What every page and picture shares: escaping, raw numbers, and the style and script resources. */
final class Markup {
  private static final double LARGEST_EXACT_INTEGER = 0x1p53;

  private Markup() {}

  /**
   * Text for an element or a quoted attribute of HTML and XML. XML has no way to write most control characters, and a model's sample may
   * hold any: they become their Unicode pictures (␀ for 0), and lone surrogates become U+FFFD.
   */
  static String escape(String text) {
    var out = new StringBuilder(text.length() + 16);
    text.codePoints().forEach(c -> {
      switch (c) {
        case '&' -> out.append("&amp;");
        case '<' -> out.append("&lt;");
        case '>' -> out.append("&gt;");
        case '"' -> out.append("&quot;");
        case '\'' -> out.append("&#39;");
        case '\n', '\t' -> out.append((char) c);
        case 0x7f -> out.append('␡');
        default -> out.appendCodePoint(c < ' ' ? '␀' + c : isXml(c) ? c : 0xfffd);
      }
    });
    return out.toString();
  }

  private static boolean isXml(int c) {
    // 0x80 to 0x9f are legal in XML but not in HTML.
    return (c < 0x80 || c > 0x9f) && (c < Character.MIN_SURROGATE || c > Character.MAX_SURROGATE) && (c & 0xfffe) != 0xfffe;
  }

  /** A number without loss, in a form that Java, JavaScript and CSV readers all parse; integers without a fraction. */
  static String raw(double value) {
    return value == Math.rint(value) && Math.abs(value) < LARGEST_EXACT_INTEGER ? Long.toString((long) value) : Double.toString(value);
  }

  /** The attribute that carries a number behind what is shown; empty where there is none. */
  static String data(@Nullable Double value) {
    return value == null ? "" : " data-value=\"" + raw(value) + "\"";
  }

  /** The content of a resource of this package. */
  static String resource(String name) {
    try (InputStream in = Markup.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException("resource " + name + " is missing from the build");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
