package dev.walsh.checkpoint;

import dev.walsh.config.Json;
import dev.walsh.config.JsonMistake;
import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import dev.walsh.files.Sha256;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import tools.jackson.core.JacksonException;

/** The size and SHA-256 of every file of a folder, kept beside them as {@code manifest.json}. */
public record Manifest(List<Entry> files) {
  public static final String FILE = "manifest.json";

  public Manifest {
    files = List.copyOf(files);
  }

  /**
   * One file.
   *
   * @param name path within the folder, with {@code /} between its parts
   * @param bytes its size
   * @param sha256 64 hexadecimal digits
   */
  public record Entry(String name, long bytes, String sha256) {
    public Entry {
      Objects.requireNonNull(name);
      Objects.requireNonNull(sha256);
    }
  }

  /** Describes the files of a folder; those whose entry is known already are not read again. */
  static Manifest of(Path folder, Map<String, Entry> known) throws IOException {
    var files = new ArrayList<Entry>();
    for (var file : files(folder)) {
      var name = folder.relativize(file).toString().replace('\\', '/');
      var entry = known.get(name);
      files.add(entry != null ? entry : new Entry(name, Files.size(file), Sha256.of(file)));
    }
    return new Manifest(files);
  }

  static List<Path> files(Path folder) throws IOException {
    try (var paths = Files.walk(folder)) {
      return paths.filter(Files::isRegularFile).sorted().toList();
    } catch (UncheckedIOException error) {
      throw error.getCause();
    }
  }

  /**
   * Reads every file of a folder again and compares it with the manifest. Files that the manifest does not know are nobody's harm.
   *
   * @throws UserError that names each missing, short or altered file and the earlier checkpoint to resume from
   */
  public static void verify(Path folder) {
    var faults = faults(folder, true);
    if (!faults.isEmpty()) {
      var fix = StepFolder.before(folder).map(earlier -> "resume from " + earlier.path() + " instead")
          .orElse("no earlier checkpoint stands beside it, so restore it from a copy or start the run anew");
      throw new UserError(folder + " is damaged: " + String.join(", ", faults) + "; " + fix);
    }
  }

  /** Whether the manifest and every file are there, at their full size; the content is not read. */
  static boolean isComplete(Path folder) {
    return faults(folder, false).isEmpty();
  }

  private static List<String> faults(Path folder, boolean content) {
    try {
      var manifest = Json.PRETTY.readValue(Files.readAllBytes(folder.resolve(FILE)), Manifest.class);
      return manifest.files.parallelStream().map(entry -> fault(folder, entry, content)).filter(fault -> !fault.isEmpty()).toList();
    } catch (IOException error) {
      return List.of(FILE + " cannot be read (" + Disk.reason(error) + ")");
    } catch (JacksonException error) {
      return List.of(FILE + " is not what was written (" + JsonMistake.syntax(error) + ")");
    }
  }

  /** What is wrong with a file, or an empty string. */
  private static String fault(Path folder, Entry entry, boolean content) {
    var file = folder.resolve(entry.name).normalize();
    if (!file.startsWith(folder.normalize())) {
      return FILE + " names " + entry.name + ", which lies outside";
    }
    try {
      if (!Files.isRegularFile(file)) {
        return entry.name + " is missing";
      }
      long bytes = Files.size(file);
      if (bytes != entry.bytes) {
        return String.format(Locale.ROOT, "%s has %,d bytes and not %,d", entry.name, bytes, entry.bytes);
      }
      return content && !Sha256.of(file).equals(entry.sha256) ? entry.name + " does not have its SHA-256" : "";
    } catch (IOException error) {
      return entry.name + " cannot be read (" + Disk.reason(error) + ")";
    }
  }
}
