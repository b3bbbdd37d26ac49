package dev.walsh.data;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.tukaani.xz.XZInputStream;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

/**
 * One input file: plain text, text packed by xz, gzip or bzip2, or a zip of texts.
 *
 * @param path where it is
 * @param size its bytes on disk
 * @param entries which entries of a zip are text
 */
record Source(Path path, long size, Predicate<String> entries) {
  private static final int BUFFER = 1 << 16;
  /** Enough for every preset of xz (-9 needs 65 MiB), and less than a heap. */
  private static final int XZ_MEMORY_KIB = 192 << 10;

  /** Takes the texts of a file, one after another, each to be read before it returns. */
  @FunctionalInterface
  interface Reader<E extends Exception> {
    void read(TextInput text) throws IOException, E;
  }

  /**
   * Gives the texts of the file.
   *
   * @param before how many bytes of the inputs came before this file
   */
  <E extends Exception> void read(long before, Reader<E> reader) throws E {
    try {
      if (extension().equals("zip") || extension().equals("jar")) {
        readZip(before, reader);
      } else {
        readStream(before, reader);
      }
    } catch (IOException error) {
      throw TextInput.unreadable(path.toString(), error);
    }
  }

  private String extension() {
    var name = path.getFileName().toString();
    return name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
  }

  private <E extends Exception> void readStream(long before, Reader<E> reader) throws IOException, E {
    try (var packed = new CountedInput(Files.newInputStream(path))) {
      var buffered = new BufferedInputStream(packed, BUFFER);
      var text = switch (extension()) {
        case "xz" -> new XZInputStream(buffered, XZ_MEMORY_KIB);
        case "gz" -> GzipCompressorInputStream.builder().setInputStream(buffered).setDecompressConcatenated(true).get();
        case "bz2" -> new BZip2CompressorInputStream(buffered, true);
        default -> packed;
      };
      var allowance = text == packed
          ? TextInput.Allowance.unlimited(path.toString())
          : TextInput.Allowance.ofArchive(path.toString(), size);
      reader.read(new TextInput(text, path.toString(), allowance, () -> before + packed.count()));
    }
  }

  private <E extends Exception> void readZip(long before, Reader<E> reader) throws IOException, E {
    var allowance = TextInput.Allowance.ofArchive(path.toString(), size);
    long consumed = before;
    // Names that say to be UTF-8 are read so all the same; in the others no byte is wrong.
    try (var zip = new ZipFile(path.toFile(), ISO_8859_1)) {
      for (var entry : zip.stream().toList()) {
        consumed += entry.getCompressedSize();
        if (!entry.isDirectory() && !hidden(entry.getName()) && entries.test(entry.getName())) {
          long position = consumed;
          try (var text = new CheckedEntry(zip.getInputStream(entry), entry)) {
            reader.read(new TextInput(text, path + "!" + entry.getName(), allowance, () -> position));
          }
        }
      }
    }
  }

  /** Whether a part of a path, with slashes, begins with a dot. */
  static boolean hidden(String name) {
    return name.startsWith(".") || name.contains("/.");
  }

  /** Compares the checksum at the end of a zip's entry, which ZipFile leaves to its user. */
  private static final class CheckedEntry extends CheckedInputStream {
    private final ZipEntry entry;

    CheckedEntry(InputStream in, ZipEntry entry) {
      super(in, new CRC32());
      this.entry = entry;
    }

    @Override
    public int read(byte[] into, int offset, int length) throws IOException {
      int read = super.read(into, offset, length);
      if (read < 0 && entry.getCrc() != getChecksum().getValue()) {
        throw new IOException("wrong checksum");
      }
      return read;
    }
  }
}
