package dev.walsh.data;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Predicate;

/** A file of text as it is: plain, packed by xz, gzip or bzip2 (which its extension says), or a zip of several texts. */
public final class TextFile {
  private TextFile() {}

  /** Takes one text. */
  @FunctionalInterface
  public interface Reader {
    /**
     * @param name the file, and the entry of a zip after an exclamation mark
     * @param text unpacked; to be read before this returns
     */
    void read(String name, InputStream text) throws IOException;
  }

  /**
   * Gives the texts of a file in their order; hidden entries of a zip are left out.
   *
   * @param entries which entries of a zip, named by their paths in it, are wanted
   * @throws dev.walsh.config.UserError where the file cannot be read or unpacked
   */
  public static void read(Path file, Predicate<String> entries, Reader reader) {
    try {
      new Source(file, Files.size(file), entries).<RuntimeException>read(0, text -> reader.read(text.name(), text));
    } catch (IOException error) {
      throw TextInput.unreadable(file.toString(), error);
    }
  }
}
