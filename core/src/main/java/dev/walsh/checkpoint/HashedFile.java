package dev.walsh.checkpoint;

import dev.walsh.files.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.HexFormat;

/**
 * A new file that is hashed as it is written, so that its checksum is of what was meant and not of what a disk gave back. Closed before
 * {@link #finish}, it is removed.
 */
final class HashedFile implements AutoCloseable {
  /** Small enough that the chunk just hashed is still in the cache when it is written. */
  private static final int CHUNK = 1 << 20;

  private final Path file;
  private final FileChannel channel;
  private final MessageDigest digest = Sha256.digest();
  private long bytes;
  private boolean finished;

  /** Creates the file; a FileAlreadyExistsException where there is one. */
  HashedFile(Path file) throws IOException {
    this.file = file;
    channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
  }

  /** Appends all that remains in the buffer. */
  void write(ByteBuffer source) throws IOException {
    while (source.hasRemaining()) {
      var chunk = source.slice(source.position(), Math.min(CHUNK, source.remaining()));
      digest.update(chunk.duplicate());
      while (chunk.hasRemaining()) {
        bytes += channel.write(chunk);
      }
      source.position(source.position() + chunk.capacity());
    }
  }

  /** Makes the file durable and says what it holds. */
  Manifest.Entry finish() throws IOException {
    channel.force(true);
    finished = true;
    return new Manifest.Entry(file.getFileName().toString(), bytes, HexFormat.of().formatHex(digest.digest()));
  }

  @Override
  public void close() throws IOException {
    channel.close();
    if (!finished) {
      Files.deleteIfExists(file);
    }
  }
}
