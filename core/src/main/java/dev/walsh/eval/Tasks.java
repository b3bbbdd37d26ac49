package dev.walsh.eval;

import dev.walsh.config.UserError;
import dev.walsh.data.TextFile;
import dev.walsh.files.Sha256;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The tasks that a model can be scored on: those that walsh defines, whose data it looks for in a folder, and users' own files. */
public final class Tasks {
  /** Stands for all tasks that walsh defines. */
  public static final String ALL = "all";

  private static final List<String> PACKINGS = List.of("", ".xz", ".gz", ".bz2");
  private static final int HASH_DIGITS = 12;

  private Tasks() {}

  /** The names of the tasks that walsh defines. */
  public static List<String> names() {
    return Definition.BUILT_IN.tasks().stream().map(Definition::name).toList();
  }

  /** Where the data of tasks are unless said otherwise: {@code $WALSH_DATA/tasks}, or {@code tasks} here. */
  public static Path folder() {
    var data = System.getenv("WALSH_DATA");
    return data == null ? Path.of("tasks") : Path.of(data, "tasks");
  }

  /**
   * Reads tasks.
   *
   * @param dir the folder with the data of those that walsh defines
   * @param names of such tasks, {@link #ALL}, or paths of users' own files: JSON lines in one of the formats that the README of this
   *        package lists, a zip of such files, or plain text; one named twice is read once
   * @throws UserError for an unknown task, or a missing or malformed file, with the file, the line and the field
   */
  public static List<Task> open(Path dir, List<String> names) {
    var wanted = names.stream().flatMap(name -> name.equals(ALL) ? names().stream() : Stream.of(name)).distinct().toList();
    return wanted.stream().map(name -> open(dir, name)).toList();
  }

  private static Task open(Path dir, String name) {
    for (var definition : Definition.BUILT_IN.tasks()) {
      if (definition.name().equals(name)) return builtIn(dir, definition);
    }
    var file = Path.of(name);
    if (Files.isRegularFile(file)) return own(file);
    var known = String.join(", ", names());
    if (name.matches(".*[./\\\\].*")) {
      throw new UserError("There is no file " + name + "; check the path, or use a task of walsh: " + known);
    }
    throw new UserError("The task '" + name + "' is unknown; use " + known + ", " + ALL + " or the path of a file of your own");
  }

  private static Task builtIn(Path dir, Definition definition) {
    var places = definition.files().stream().flatMap(file -> PACKINGS.stream().map(packing -> dir.resolve(file + packing))).toList();
    var file = places.stream().filter(Files::isRegularFile).findFirst().orElseThrow(() -> new UserError(
        "The task " + definition.name() + " needs " + definition.files().getFirst() + " (or .xz, .gz, .bz2), which is not in " + dir
            + "; give its folder with --tasks-dir DIR, or set WALSH_DATA to the folder that has it under tasks"));
    var content = Content.read(file, definition.layout(), definition.template());
    var version = content.sha256.equals(definition.sha256())
        ? definition.version()
        : definition.version() + " on data " + content.sha256.substring(0, HASH_DIGITS);
    return content.task(definition.name(), version, definition.note());
  }

  private static Task own(Path file) {
    var name = file.getFileName().toString().toLowerCase(Locale.ROOT).replaceFirst("\\.(xz|gz|bz2)$", "");
    var extension = name.substring(name.lastIndexOf('.') + 1);
    Layout layout = switch (extension) {
      case "jsonl", "zip" -> new Layout.JsonLines();
      case "txt" -> new Layout.Documents(null);
      default -> throw new UserError(
          "The task file " + file + " is of no known format; give JSON lines (.jsonl), a zip of them, or plain text (.txt)");
    };
    var content = Content.read(file, layout, null);
    return content.task(file.toString(), "data " + content.sha256.substring(0, HASH_DIGITS), null);
  }

  /** What a file holds. */
  private static final class Content {
    private final List<Task.ItemSet> sets = new ArrayList<>();
    // Null until the first item of a user's own file shows which it is.
    private @Nullable Template template;
    private String sha256 = "";

    private Content(@Nullable Template template) {
      this.template = template;
    }

    static Content read(Path file, Layout layout, @Nullable Template template) {
      var content = new Content(template);
      var digest = Sha256.digest();
      TextFile.read(file, entry -> entry.endsWith(".jsonl"), (name, text) -> {
        var items = new ArrayList<Item>();
        layout.read(name, new Lines(name, new DigestInputStream(text, digest)), fields -> items.add(content.item(fields)));
        if (items.isEmpty()) throw new UserError(name + " holds no items; give a file that does");
        content.sets.add(new Task.ItemSet(setName(name), name, items));
      });
      if (content.sets.isEmpty()) throw new UserError(file + " holds no .jsonl file; give a file that does");
      content.sha256 = HexFormat.of().formatHex(digest.digest());
      return content;
    }

    /** Of the name of a file, and the entry of a zip behind an exclamation mark. */
    private static String setName(String name) {
      var entry = name.substring(name.lastIndexOf('!') + 1);
      return entry.equals(name) ? "" : entry.substring(entry.lastIndexOf('/') + 1).replaceFirst("\\.jsonl$", "");
    }

    private Item item(Fields fields) {
      if (template == null) template = format(fields);
      return template.item(fields);
    }

    /** The format that the first item of a file is in: the first one all of whose fields it has. */
    private static Template format(Fields fields) {
      var formats = Definition.BUILT_IN.formats();
      var present = Set.copyOf(fields.values().propertyNames());
      return formats.stream().filter(format -> present.containsAll(format.fields())).findFirst()
          .orElseThrow(() -> fields.wrong(" is in no known format, for it has the fields " + present.stream().sorted().toList()
              + "; give it those of one of " + formats.stream().map(Template::fields).toList()));
    }

    Task task(String name, String version, @Nullable String note) {
      boolean normalised = Objects.requireNonNull(template) instanceof Template.Choices choices && choices.normalised();
      return new Task(name, version, note, normalised, sets.stream().sorted(Comparator.comparing(Task.ItemSet::name)).toList());
    }
  }
}
