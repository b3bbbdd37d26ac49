package dev.walsh.study.findings;

import dev.walsh.report.Cell;
import dev.walsh.report.Span;
import dev.walsh.report.Text;
import dev.walsh.study.Interval;
import java.util.Locale;

/** Intervals in text and tables. */
final class Words {
  private Words() {}

  /** A text with an interval behind it: −0.0123 ± 0.0040, or −0.0123 (one seed). */
  static Text interval(Text text, Interval difference, int decimals) {
    var longer = text.then(Span.difference(difference.mean(), decimals));
    return difference.isKnown() ? longer.then(" ").then(margin(difference, decimals)) : longer.then(" (one seed)");
  }

  /** A table's cell of an interval; one that excludes zero is set strong. */
  static Cell cell(Interval difference, int decimals) {
    if (difference.count() == 0) return Cell.none();
    var cell = Cell.of(Span.difference(difference.mean(), decimals));
    if (!difference.isKnown()) return cell.note(Span.of("one seed"));
    cell = cell.note(margin(difference, decimals));
    return Math.abs(difference.mean()) > difference.halfWidth() ? cell.strong() : cell;
  }

  private static Span margin(Interval difference, int decimals) {
    return new Span(String.format(Locale.ROOT, "±%." + decimals + "f", difference.halfWidth()), difference.halfWidth());
  }
}
