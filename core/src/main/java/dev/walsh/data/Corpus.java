package dev.walsh.data;

import dev.walsh.config.UserError;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The text that a dataset is made from, read as a stream of documents: files, whole folders (in the order of their paths, without hidden
 * files), zip, xz, gzip and bzip2 archives, or standard input. A file holds one document, or several with lines
 * {@code <|endoftext|>} between them; an entry of a zip counts as a file.
 */
public final class Corpus {
  private static final String STANDARD_INPUT = "-";

  private final List<String> names;
  /** Null stands for standard input. */
  private final List<@Nullable Source> sources;

  Corpus(List<String> names, List<@Nullable Source> sources) {
    this.names = names;
    this.sources = sources;
  }

  /** The corpus of paths, "-" being standard input; what is missing is a UserError at once. */
  public static Corpus of(List<String> inputs) {
    var names = new ArrayList<String>();
    var sources = new ArrayList<@Nullable Source>();
    for (var input : inputs) {
      if (input.equals(STANDARD_INPUT)) {
        names.add("standard input");
        sources.add(null);
      } else {
        var path = Path.of(input);
        names.add(path.toAbsolutePath().normalize().getFileName().toString());
        addFiles(path, sources);
      }
    }
    return new Corpus(names, sources);
  }

  private static void addFiles(Path input, List<@Nullable Source> sources) {
    if (!Files.exists(input)) {
      throw new UserError("There is no file or folder " + input + ": check the path.");
    }
    if (!Files.isDirectory(input)) {
      sources.add(source(input));
      return;
    }
    for (var file : files(input)) {
      sources.add(source(input.resolve(file)));
    }
  }

  /** The files of a folder and its folders, relative to it. */
  private static List<Path> files(Path folder) {
    try {
      var root = folder.toRealPath();
      try (Stream<Path> files = Files.walk(root)) {
        return files.filter(Files::isRegularFile).map(root::relativize).filter(file -> !Source.hidden(slashed(file)))
            .sorted(Comparator.comparing(Corpus::slashed)).toList();
      }
    } catch (UncheckedIOException error) {
      throw TextInput.unreadable(folder.toString(), new IOException(error.getMessage(), error));
    } catch (IOException error) {
      throw TextInput.unreadable(folder.toString(), error);
    }
  }

  private static Source source(Path file) {
    try {
      return new Source(file, Files.size(file), _ -> true);
    } catch (IOException error) {
      throw TextInput.unreadable(file.toString(), error);
    }
  }

  /** A path that reads and sorts alike on all systems. */
  private static String slashed(Path path) {
    return path.toString().replace('\\', '/');
  }

  /** The inputs by name, without their folders. */
  public List<String> names() {
    return names;
  }

  /** The size of all inputs, packed as they are, or -1 where standard input is one of them. */
  public long inputBytes() {
    long bytes = 0;
    for (var source : sources) {
      if (source == null) {
        return -1;
      }
      bytes += source.size();
    }
    return bytes;
  }

  /** Whether one of the files lies in a folder. */
  boolean hasFileIn(Path folder) {
    var root = folder.toAbsolutePath().normalize();
    return sources.stream().anyMatch(source -> source != null && source.path().toAbsolutePath().normalize().startsWith(root));
  }

  /** Gives all pieces of all documents, in order; what cannot be read is a UserError that names it. */
  void read(Piece.Sink sink) throws InterruptedException {
    var splitter = new Splitter();
    long before = 0;
    for (var source : sources) {
      if (source == null) {
        readStandardInput(splitter, sink);
      } else {
        source.read(before, text -> splitter.split(text, sink));
        before += source.size();
      }
    }
  }

  private static void readStandardInput(Splitter splitter, Piece.Sink sink) throws InterruptedException {
    var name = "standard input";
    var input = new CountedInput(System.in);
    try {
      splitter.split(new TextInput(input, name, TextInput.Allowance.unlimited(name), input::count), sink);
    } catch (IOException error) {
      throw TextInput.unreadable(name, error);
    }
  }
}
