package dev.walsh.data;

import dev.walsh.config.Json;
import dev.walsh.config.JsonMistake;
import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;

/**
 * What a dataset is made of: the {@code dataset.json} beside its shards.
 *
 * @param tokenizer the name of the tokenizer
 * @param heldOut what the validation split consists of
 * @param valFraction the fraction of the text that was asked to be held out
 * @param sources the inputs, by name
 */
public record Manifest(String tokenizer, HeldOut heldOut, double valFraction, List<String> sources, Part train, Part val) {
  static final String FILE = "dataset.json";

  public Manifest {
    requireAll(tokenizer, heldOut, sources, train, val);
  }

  /** What is held out for validation. */
  public enum HeldOut {
    /** Whole documents, chosen by a hash of each one's text, so that a document's side does not change when others are added. */
    DOCUMENTS,
    /** The end of every document, because there are too few to hold out whole ones. */
    TAILS,
    NOTHING;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * One split.
   *
   * @param documents how many documents have a part in it
   * @param tokens its tokens, with the end-of-text token before each document
   * @param bytes the bytes of text that these stand for
   * @param shards its files, in order
   */
  public record Part(long documents, long tokens, long bytes, List<Entry> shards) {
    public Part {
      requireAll(shards);
    }
  }

  /**
   * One shard.
   *
   * @param file its name in the folder
   * @param tokens its number of tokens
   * @param sha256 the checksum of the file, in hexadecimal digits
   */
  public record Entry(String file, long tokens, String sha256) {
    public Entry {
      requireAll(file, sha256);
      if (!file.equals(Path.of(file).getFileName().toString())) {
        throw new IllegalArgumentException(file + " is no plain file name");
      }
    }
  }

  /** Jackson passes null where a field is missing. */
  private static void requireAll(Object... fields) {
    if (Stream.of(fields).anyMatch(field -> field == null)) {
      throw new IllegalArgumentException("a field is missing");
    }
  }

  /** The manifest in a folder; a UserError where it is none. */
  static Manifest read(Path folder) {
    var file = folder.resolve(FILE);
    try {
      return Json.PRETTY.readValue(Files.readString(file), Manifest.class);
    } catch (IOException error) {
      throw notOurs(file, Disk.reason(error), error);
    } catch (JacksonException error) {
      throw notOurs(file, JsonMistake.of(error), error);
    }
  }

  private static UserError notOurs(Path file, String reason, Exception error) {
    return new UserError(
        "The file %s does not describe a dataset of walsh (%s): run walsh prepare again, or remove the file to use the shards alone."
            .formatted(file, reason),
        error);
  }

  void write(Path folder) throws IOException {
    Files.writeString(folder.resolve(FILE), Json.PRETTY.writeValueAsString(this) + "\n");
  }

  /** The names of all files of the dataset, itself included. */
  Set<String> files() {
    var shards = Stream.concat(train.shards().stream(), val.shards().stream()).map(Entry::file);
    return Stream.concat(Stream.of(FILE), shards).collect(Collectors.toUnmodifiableSet());
  }
}
