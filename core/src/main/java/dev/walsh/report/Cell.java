package dev.walsh.report;

import org.jspecify.annotations.Nullable;

/** A table's cell: what it shows, how loudly, and a small note after it, such as the difference to another row. */
public record Cell(Span content, Emphasis emphasis, @Nullable Span note) {
  /** How loudly a page shows a cell; the terminal and CSV show all alike. */
  public enum Emphasis {
    NORMAL, STRONG, MUTED
  }

  public static Cell of(Span content) {
    return new Cell(content, Emphasis.NORMAL, null);
  }

  public static Cell of(String text) {
    return of(Span.of(text));
  }

  public static Cell of(double value, Format format) {
    return of(Span.of(value, format));
  }

  /** A cell without an answer, shown as a muted dash. */
  public static Cell none() {
    return of("–").muted();
  }

  public Cell strong() {
    return new Cell(content, Emphasis.STRONG, note);
  }

  public Cell muted() {
    return new Cell(content, Emphasis.MUTED, note);
  }

  /** This cell with a note after its content. */
  public Cell note(Span span) {
    return new Cell(content, emphasis, span);
  }
}
