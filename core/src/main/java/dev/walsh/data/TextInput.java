package dev.walsh.data;

import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.function.LongSupplier;
import org.tukaani.xz.MemoryLimitException;

/**
 * The text of one source as it is unpacked. It ends a decompression bomb, and turns what a broken file makes of its reader into an error
 * that names the file.
 */
final class TextInput extends FilterInputStream {
  private final String name;
  private final Allowance allowance;
  private final LongSupplier consumed;

  /**
   * @param unpacked the text
   * @param name the source, for messages
   * @param allowance how much may still be unpacked
   * @param consumed how many bytes of all inputs have been read so far
   */
  TextInput(InputStream unpacked, String name, Allowance allowance, LongSupplier consumed) {
    super(unpacked);
    this.name = name;
    this.allowance = allowance;
    this.consumed = consumed;
  }

  String name() {
    return name;
  }

  long consumed() {
    return consumed.getAsLong();
  }

  @Override
  public int read(byte[] into, int offset, int length) {
    try {
      int read = in.read(into, offset, length);
      allowance.spend(read);
      return read;
    } catch (IOException error) {
      throw unreadable(name, error);
    }
  }

  static UserError unreadable(String name, IOException error) {
    if (error instanceof MemoryLimitException memory) {
      return new UserError(
          "%s needs %d MiB of memory to unpack: unpack it yourself with xz -d and give walsh the text.".formatted(name, memory
              .getMemoryNeeded() >> 10),
          error);
    }
    return new UserError(
        "Cannot read %s (%s): if it is an archive, it is truncated or damaged, so fetch or pack it again; else check the disk and the permissions."
            .formatted(name, Disk.reason(error)),
        error);
  }

  /**
   * How much one input file may unpack to: {@value #RATIO} times its own size, and {@value #FREE} bytes in any case. Text packs to a
   * quarter, logs to a fiftieth; more is a bomb or no text.
   */
  static final class Allowance {
    private static final long FREE = 64 << 20;
    private static final long RATIO = 250;

    private final String file;
    private long left;

    private Allowance(String file, long left) {
      this.file = file;
      this.left = left;
    }

    static Allowance ofArchive(String file, long size) {
      return new Allowance(file, Math.max(FREE, RATIO * size));
    }

    static Allowance unlimited(String file) {
      return new Allowance(file, Long.MAX_VALUE);
    }

    private void spend(int bytes) {
      left -= Math.max(0, bytes);
      if (left < 0) {
        throw new UserError(
            "%s unpacks to more than %d times its size, as decompression bombs do and text does not: if you trust it, unpack it yourself and give walsh the unpacked files."
                .formatted(file, RATIO));
      }
    }
  }
}
