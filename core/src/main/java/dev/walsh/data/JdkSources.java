package dev.walsh.data;

import dev.walsh.config.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The Java sources of the JDK that runs walsh: a corpus of some 15,000 files and 200 MB that is on every machine already. */
public final class JdkSources {
  private JdkSources() {}

  /** The corpus, a document a file; a UserError where the JDK came without its sources. */
  public static Corpus corpus() {
    return corpus(Path.of(System.getProperty("java.home")));
  }

  static Corpus corpus(Path home) {
    var zip = home.resolve("lib").resolve("src.zip");
    try {
      // A distribution may link to a file that is in another package, so the link alone proves nothing.
      var sources = new Source(zip, Files.size(zip), name -> name.endsWith(".java"));
      return new Corpus(List.of("sources of JDK " + Runtime.version().feature()), List.of(sources));
    } catch (IOException error) {
      throw new UserError(
          "This JDK has no sources (%s %s): give a text or a folder with --data, or use a JDK that has lib/src.zip.".formatted(zip,
              Files.isSymbolicLink(zip) ? "is a link to nothing" : "is missing"),
          error);
    }
  }
}
