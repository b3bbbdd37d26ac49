package dev.walsh.report;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A table of plain rows, for the terminal, the page and CSV. The first column names the rows.
 *
 * <pre>{@code
 * Table.of("After 20M tokens", Column.text("arm"), Column.number("loss", "nats/byte"))
 *     .row(Cell.of("dense"), Cell.of(1.31217, Format.PLAIN))
 *     .row(Cell.of("hadamard"), Cell.of(1.30755, Format.PLAIN).note(Span.difference(-0.00462, 4)))
 * }</pre>
 */
public record Table(String caption, List<Column> columns, List<List<Cell>> rows) implements Block {
  /** Of a cell of the page, in characters; longer text is wrapped. */
  private static final int LONGEST_LINE = 32;

  /** @throws IllegalArgumentException for a table without columns or a row with another number of cells */
  public Table {
    columns = List.copyOf(columns);
    rows = rows.stream().map(List::copyOf).toList();
    if (columns.isEmpty()) {
      throw new IllegalArgumentException("a table needs a column");
    }
    for (var row : rows) {
      if (row.size() != columns.size()) {
        throw new IllegalArgumentException("a row of " + row.size() + " cells under " + columns.size() + " columns");
      }
    }
  }

  /** A table without rows; the caption may be empty. */
  public static Table of(String caption, Column... columns) {
    return new Table(caption, List.of(columns), List.of());
  }

  /** This table with one more row. */
  public Table row(Cell... cells) {
    var more = new ArrayList<>(rows);
    more.add(List.of(cells));
    return new Table(caption, columns, more);
  }

  /**
   * The table in monospaced text with a line feed after each line. A table wider than {@code width} characters first wraps its text
   * columns, then continues below itself with the first column repeated; it never drops or cuts a number.
   */
  public String toText(int width) {
    return new TextTable(this, width).toString();
  }

  /** RFC 4180 CSV with line feeds: numbers unrounded, and a further column after each column whose cells have notes. */
  public String toCsv() {
    var out = new StringBuilder();
    var header = new ArrayList<String>();
    for (int c = 0; c < columns.size(); c++) {
      header.add(columns.get(c).title());
      if (hasNotes(c)) {
        header.add(columns.get(c).name() + " note");
      }
    }
    appendCsv(out, header);
    for (var row : rows) {
      var fields = new ArrayList<String>();
      for (int c = 0; c < columns.size(); c++) {
        fields.add(csvField(row.get(c).content()));
        if (hasNotes(c)) {
          fields.add(csvField(row.get(c).note()));
        }
      }
      appendCsv(out, fields);
    }
    return out.toString();
  }

  boolean hasNotes(int column) {
    return rows.stream().anyMatch(row -> row.get(column).note() != null);
  }

  private static String csvField(@Nullable Span span) {
    if (span == null) {
      return "";
    }
    return span.value() == null ? span.text() : Markup.raw(span.value());
  }

  private static void appendCsv(StringBuilder out, List<String> fields) {
    for (int i = 0; i < fields.size(); i++) {
      var field = fields.get(i);
      boolean quoted = field.chars().anyMatch(c -> c == ',' || c == '"' || c == '\n' || c == '\r');
      out.append(i == 0 ? "" : ",").append(quoted ? '"' + field.replace("\"", "\"\"") + '"' : field);
    }
    out.append('\n');
  }

  @Override
  public String toHtml() {
    // Focusable, so that a table wider than a phone can be scrolled with the keyboard.
    var out = new StringBuilder("<div class=\"table\" tabindex=\"0\">\n<table>\n");
    if (!caption.isEmpty()) {
      out.append("<caption>").append(Markup.escape(caption)).append("</caption>\n");
    }
    out.append("<thead><tr>");
    for (var column : columns) {
      out.append("<th scope=\"col\"").append(htmlClass(column.alignment() == Column.Alignment.RIGHT ? List.of("right") : List.of()))
          .append('>').append(Markup.escape(column.name()));
      if (!column.unit().isEmpty()) {
        out.append(" <small>").append(Markup.escape(column.unit())).append("</small>");
      }
      out.append("</th>");
    }
    out.append("</tr></thead>\n<tbody>\n");
    for (var row : rows) {
      out.append("<tr>");
      for (int c = 0; c < row.size(); c++) {
        var cell = row.get(c);
        var note = cell.note();
        out.append(c == 0 ? "<th scope=\"row\"" : "<td").append(htmlClass(columns.get(c), cell)).append('>')
            .append(cell.content().toHtml());
        if (note != null) {
          out.append(" <small>").append(note.toHtml()).append("</small>");
        }
        out.append(c == 0 ? "</th>" : "</td>");
      }
      out.append("</tr>\n");
    }
    return out.append("</tbody>\n</table>\n</div>\n").toString();
  }

  private static String htmlClass(Column column, Cell cell) {
    var classes = new ArrayList<String>();
    if (column.alignment() == Column.Alignment.RIGHT) classes.add("right");
    if (cell.content().text().length() > LONGEST_LINE) classes.add("prose");
    switch (cell.emphasis()) {
      case STRONG -> classes.add("strong");
      case MUTED -> classes.add("muted");
      case NORMAL -> {}
    }
    return htmlClass(classes);
  }

  private static String htmlClass(List<String> classes) {
    return classes.isEmpty() ? "" : " class=\"" + String.join(" ", classes) + "\"";
  }
}
