package dev.walsh.eval;

import dev.walsh.config.UserError;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import org.jspecify.annotations.Nullable;

import static java.nio.charset.StandardCharsets.UTF_8;

/** The lines of a text in UTF-8, counted from 1, each with its line end. */
final class Lines {
  private final String file;
  private final InputStream in;
  private final ByteArrayOutputStream line = new ByteArrayOutputStream();
  private int number;

  /** @param file its name, for messages */
  Lines(String file, InputStream in) {
    this.file = file;
    this.in = new BufferedInputStream(in);
  }

  /** The next line, or null behind the last. */
  @Nullable
  String next() throws IOException {
    line.reset();
    for (int b; (b = in.read()) >= 0;) {
      line.write(b);
      if (b == '\n') break;
    }
    if (line.size() == 0) return null;
    number++;
    try {
      return UTF_8.newDecoder().decode(ByteBuffer.wrap(line.toByteArray())).toString();
    } catch (CharacterCodingException error) {
      throw new UserError("Line " + number + " of " + file + " is not UTF-8; convert the file", error);
    }
  }

  /** The number of the line that {@link #next} returned last. */
  int number() {
    return number;
  }
}
