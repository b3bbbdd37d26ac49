package dev.walsh.cli;

import dev.walsh.data.Corpus;
import dev.walsh.data.JdkSources;
import dev.walsh.data.Preparation;
import dev.walsh.measure.Progress;
import dev.walsh.text.Tokenizer;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The text of a comparison: a dataset that is there, or one that is made of a text, or of the sources of the JDK, as bytes.
 *
 * @param folder of the dataset
 * @param name what the text is, for people
 */
record ComparedText(Path folder, String name) {
  private static final String BYTES = "bytes";

  /**
   * @param given a dataset's folder, a text, or a folder of texts; null for the JDK's sources
   * @param out where a dataset made of a given text goes
   */
  static ComparedText of(@Nullable Path given, Path out, PrintWriter say) throws InterruptedException {
    if (given == null) return ofJdk(say);
    if (isDataset(given)) return new ComparedText(given, given.getFileName().toString());
    var folder = out.resolve("data");
    prepare(Corpus.of(List.of(given.toString())), folder);
    return new ComparedText(folder, given.getFileName().toString());
  }

  private static boolean isDataset(Path folder) {
    if (!Files.isDirectory(folder)) return false;
    try (var files = Files.list(folder)) {
      return files.anyMatch(file -> file.getFileName().toString().endsWith(".bin"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The JDK's sources are prepared once a version and kept, since every later comparison wants them again. */
  private static ComparedText ofJdk(PrintWriter say) throws InterruptedException {
    var version = Runtime.version().feature();
    var name = "sources of JDK " + version;
    var folder = cache().resolve("jdk-" + Runtime.version() + "-" + BYTES);
    if (!isDataset(folder)) {
      var corpus = JdkSources.corpus();
      say.println("text    " + name + ", kept in " + folder + " for the next time");
      say.flush();
      prepare(corpus, folder);
    }
    return new ComparedText(folder, name);
  }

  private static Path cache() {
    var configured = System.getenv("XDG_CACHE_HOME");
    var base = configured == null || configured.isBlank() ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(configured);
    return base.resolve("walsh");
  }

  private static void prepare(Corpus corpus, Path folder) throws InterruptedException {
    try (var progress = Progress.startBytes("prepare", corpus.inputBytes())) {
      new Preparation(corpus, folder, Tokenizer.of(BYTES)).run(progress);
    }
  }
}
