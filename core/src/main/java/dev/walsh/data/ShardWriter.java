package dev.walsh.data;

import dev.walsh.files.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.WRITE;

/** Writes a {@link Shard} whose length is known from the start, and hashes it on the way. */
final class ShardWriter implements AutoCloseable {
  private static final int BUFFER = 1 << 17;

  private final Path path;
  private final int count;
  private final FileChannel channel;
  private final MessageDigest digest = Sha256.digest();
  private final ByteBuffer buffer = ByteBuffer.allocate(BUFFER).order(ByteOrder.LITTLE_ENDIAN);
  private int written;

  /** Begins a shard of a number of tokens. */
  ShardWriter(Path path, int count) throws IOException {
    this.path = path;
    this.count = count;
    channel = FileChannel.open(path, CREATE, WRITE);
    buffer.putInt(Shard.MAGIC).putInt(Shard.VERSION).putInt(count).position(Shard.HEADER_BYTES);
  }

  /** How many tokens are still to come. */
  int left() {
    return count - written;
  }

  /** Appends tokens of 16 bits, unsigned. */
  void append(char[] tokens, int from, int to) throws IOException {
    if (to - from > left()) {
      throw new IllegalArgumentException((to - from) + " tokens more than the " + left() + " that are left");
    }
    for (int i = from; i < to;) {
      if (buffer.remaining() < Character.BYTES) {
        flush();
      }
      int part = Math.min(to - i, buffer.remaining() / Character.BYTES);
      buffer.asCharBuffer().put(tokens, i, part);
      buffer.position(buffer.position() + part * Character.BYTES);
      i += part;
    }
    written += to - from;
  }

  private void flush() throws IOException {
    buffer.flip();
    digest.update(buffer.duplicate());
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
    buffer.clear();
  }

  /** Writes the rest, makes the file durable and says what it is. */
  Manifest.Entry finish() throws IOException {
    if (left() != 0) {
      throw new IllegalStateException(left() + " tokens are missing");
    }
    flush();
    channel.force(true);
    return new Manifest.Entry(path.getFileName().toString(), count, HexFormat.of().formatHex(digest.digest()));
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
