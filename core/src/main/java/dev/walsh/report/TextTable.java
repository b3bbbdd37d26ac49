package dev.walsh.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A table laid out in monospaced text. Each column takes what its widest cell or longest header word needs; text columns wrap where the
 * table would be too wide, and columns that still do not fit go to a further panel below, under the first column again.
 */
final class TextTable {
  private static final int GAP = 2;
  private static final int NARROWEST_WRAPPED = 14;

  private final Table table;
  private final int width;
  /** Characters of each column's widest content, without its notes. */
  private final int[] content;
  /** Characters of each column's widest note with the space before it; 0 where there is none. */
  private final int[] notes;
  private final int[] widths;

  TextTable(Table table, int width) {
    this.table = table;
    this.width = width;
    int n = table.columns().size();
    content = new int[n];
    notes = new int[n];
    widths = new int[n];
    for (int c = 0; c < n; c++) {
      for (var row : table.rows()) {
        content[c] = Math.max(content[c], length(row.get(c).content().text()));
        var note = row.get(c).note();
        notes[c] = Math.max(notes[c], note == null ? 0 : 1 + length(note.text()));
      }
      var column = table.columns().get(c);
      widths[c] = Math.max(Math.max(content[c] + notes[c], length(column.unit())), longestWord(column.name()));
    }
    wrapTextColumns();
  }

  private void wrapTextColumns() {
    while (Arrays.stream(widths).sum() + GAP * (widths.length - 1) > width) {
      int widest = -1;
      for (int c = 0; c < widths.length; c++) {
        if (wraps(c) && widths[c] > narrowest(c) && (widest < 0 || widths[c] > widths[widest])) {
          widest = c;
        }
      }
      if (widest < 0) {
        return;
      }
      widths[widest]--;
    }
  }

  private boolean wraps(int c) {
    return table.columns().get(c).alignment() == Column.Alignment.LEFT && notes[c] == 0;
  }

  private int narrowest(int c) {
    int longest = table.rows().stream().mapToInt(row -> longestWord(row.get(c).content().text())).max().orElse(0);
    var column = table.columns().get(c);
    return Math.max(Math.max(longest, NARROWEST_WRAPPED), Math.max(longestWord(column.name()), length(column.unit())));
  }

  @Override
  public String toString() {
    var out = new StringBuilder();
    if (!table.caption().isEmpty()) {
      out.append(table.caption()).append("\n\n");
    }
    var panels = panels();
    for (int p = 0; p < panels.size(); p++) {
      out.append(p == 0 ? "" : "\n");
      appendPanel(out, panels.get(p));
    }
    return out.toString();
  }

  /** The columns of each panel: the first column, then as many others as fit. */
  private List<List<Integer>> panels() {
    var panels = new ArrayList<List<Integer>>();
    var panel = new ArrayList<>(List.of(0));
    int used = widths[0];
    for (int c = 1; c < widths.length; c++) {
      if (panel.size() > 1 && used + GAP + widths[c] > width) {
        panels.add(panel);
        panel = new ArrayList<>(List.of(0));
        used = widths[0];
      }
      panel.add(c);
      used += GAP + widths[c];
    }
    panels.add(panel);
    return panels;
  }

  private void appendPanel(StringBuilder out, List<Integer> panel) {
    var header = panel.stream().map(c -> wrap(table.columns().get(c).name(), widths[c])).toList();
    var units = panel.stream().map(c -> table.columns().get(c).unit()).toList();
    int height = header.stream().mapToInt(List::size).max().orElse(0);
    for (int line = 0; line < height; line++) {
      // Short names stand at the bottom, next to their cells.
      int at = line - height;
      appendLine(out, panel, header.stream().map(name -> name.size() + at < 0 ? "" : name.get(name.size() + at)).toList());
    }
    if (units.stream().anyMatch(unit -> !unit.isEmpty())) {
      appendLine(out, panel, units);
    }
    out.repeat('─', panel.stream().mapToInt(c -> widths[c]).sum() + GAP * (panel.size() - 1)).append('\n');
    for (var row : table.rows()) {
      var cells = panel.stream().map(c -> wrap(shown(row.get(c), c), widths[c])).toList();
      int lines = cells.stream().mapToInt(List::size).max().orElse(0);
      for (int line = 0; line < lines; line++) {
        int at = line;
        appendLine(out, panel, cells.stream().map(cell -> at < cell.size() ? cell.get(at) : "").toList());
      }
    }
  }

  /** A cell's text; where the column has notes, contents and notes each line up among themselves. */
  private String shown(Cell cell, int c) {
    if (notes[c] == 0) {
      return cell.content().text();
    }
    var text = pad(cell.content().text(), content[c], table.columns().get(c).alignment());
    return text + pad(noteText(cell.note()), notes[c], Column.Alignment.RIGHT);
  }

  private static String noteText(@Nullable Span note) {
    return note == null ? "" : note.text();
  }

  private void appendLine(StringBuilder out, List<Integer> panel, List<String> fields) {
    var line = new StringBuilder();
    for (int i = 0; i < fields.size(); i++) {
      int c = panel.get(i);
      line.append(" ".repeat(i == 0 ? 0 : GAP)).append(pad(fields.get(i), widths[c], table.columns().get(c).alignment()));
    }
    out.append(line.toString().stripTrailing()).append('\n');
  }

  private static String pad(String text, int width, Column.Alignment alignment) {
    var space = " ".repeat(Math.max(0, width - length(text)));
    return alignment == Column.Alignment.RIGHT ? space + text : text + space;
  }

  private static List<String> wrap(String text, int width) {
    if (length(text) <= width) {
      return List.of(text);
    }
    var lines = new ArrayList<String>();
    var line = new StringBuilder();
    for (var word : text.split(" ")) {
      if (!line.isEmpty() && length(line) + 1 + length(word) > width) {
        lines.add(line.toString());
        line.setLength(0);
      }
      line.append(line.isEmpty() ? "" : " ").append(word);
    }
    lines.add(line.toString());
    return lines;
  }

  private static int longestWord(String text) {
    return Arrays.stream(text.split(" ")).mapToInt(TextTable::length).max().orElse(0);
  }

  private static int length(CharSequence text) {
    return (int) IntStream.range(0, text.length()).filter(i -> !Character.isLowSurrogate(text.charAt(i))).count();
  }
}
