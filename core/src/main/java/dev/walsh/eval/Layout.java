package dev.walsh.eval;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.walsh.config.Json;
import dev.walsh.config.UserError;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Where in a file one item ends and the next begins, and what their fields are. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "kind")
@JsonSubTypes({@JsonSubTypes.Type(name = "jsonl", value = Layout.JsonLines.class),
    @JsonSubTypes.Type(name = "lines", value = Layout.LineGroups.class),
    @JsonSubTypes.Type(name = "documents", value = Layout.Documents.class)})
sealed interface Layout {
  /** Gives the fields of each item of {@code file}. */
  void read(String file, Lines lines, Consumer<Fields> items) throws IOException;

  /** An object of JSON a line; blank lines count for nothing. */
  record JsonLines() implements Layout {
    @Override
    public void read(String file, Lines lines, Consumer<Fields> items) throws IOException {
      for (String line; (line = lines.next()) != null;) {
        if (!line.isBlank()) items.accept(Fields.ofJson(file, lines.number(), line));
      }
    }
  }

  /** So many lines an item, a field each. */
  record LineGroups(List<String> fields) implements Layout {
    @Override
    public void read(String file, Lines lines, Consumer<Fields> items) throws IOException {
      for (String line; (line = lines.next()) != null;) {
        int first = lines.number();
        var values = Json.LINE.createObjectNode();
        for (var field : fields) {
          if (line == null) {
            throw new UserError("The item at line " + first + " of " + file + " ends before its \"" + field + "\"; an item has "
                + fields.size() + " lines, so complete it or take it out");
          }
          values.put(field, line.replaceFirst("\r?\n$", ""));
          if (!field.equals(fields.getLast())) line = lines.next();
        }
        items.accept(new Fields(file, first, values));
      }
    }
  }

  /**
   * Documents of plain text, the field "text" of each, with lines {@code <|endoftext|>} between them; blank ones count for nothing.
   *
   * @param heading the pattern of a line that begins a document too; null for none
   */
  record Documents(@Nullable String heading) implements Layout {
    private static final String SEPARATOR = "<|endoftext|>";

    @Override
    public void read(String file, Lines lines, Consumer<Fields> items) throws IOException {
      var begins = Pattern.compile(Objects.requireNonNullElse(heading, "(?!)"));
      var document = new StringBuilder();
      int first = 1;
      for (String line; (line = lines.next()) != null;) {
        var content = line.replaceFirst("\r?\n$", "");
        boolean separates = content.equals(SEPARATOR);
        if (separates || begins.matcher(content).matches() && !document.toString().isBlank()) {
          give(file, first, document, items);
          first = separates ? lines.number() + 1 : lines.number();
          document.setLength(0);
        }
        if (!separates) document.append(line);
      }
      give(file, first, document, items);
    }

    private static void give(String file, int line, CharSequence document, Consumer<Fields> items) {
      var text = document.toString();
      if (!text.isBlank()) items.accept(new Fields(file, line, Json.LINE.createObjectNode().put("text", text)));
    }
  }
}
