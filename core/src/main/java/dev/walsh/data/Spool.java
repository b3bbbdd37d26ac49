package dev.walsh.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

/**
 * All tokens of a corpus in one temporary file, and each document's start and hash in memory (16 bytes a document): which documents are held
 * out, and how long the shards are, is known only when all are read. Written first, then read; removed when closed.
 */
final class Spool implements AutoCloseable {
  private static final int BUFFER = 1 << 20;

  private final Path path;
  private final FileChannel channel;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER).order(ByteOrder.LITTLE_ENDIAN);
  private long[] starts = new long[64];
  private double[] hashes = new double[64];
  private int documents;
  private long tokens;

  Spool(Path path) throws IOException {
    this.path = path;
    channel = FileChannel.open(path, CREATE_NEW, READ, WRITE);
  }

  /** Begins a document with a hash in [0, 1). */
  void startDocument(double hash) {
    if (documents == starts.length) {
      starts = Arrays.copyOf(starts, 2 * documents);
      hashes = Arrays.copyOf(hashes, 2 * documents);
    }
    starts[documents] = tokens;
    hashes[documents++] = hash;
  }

  void append(int... more) throws IOException {
    for (int token : more) {
      if (!buffer.hasRemaining()) {
        flush();
      }
      buffer.putChar((char) token);
    }
    tokens += more.length;
  }

  /** To be called once, after the last token. */
  void flush() throws IOException {
    buffer.flip();
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
    buffer.clear();
  }

  int documents() {
    return documents;
  }

  long tokens() {
    return tokens;
  }

  double hash(int document) {
    return hashes[document];
  }

  long start(int document) {
    return document == documents ? tokens : starts[document];
  }

  /** Copies tokens from a position on to the front of an array. */
  void read(long from, char[] into, int count) throws IOException {
    for (int done = 0; done < count;) {
      int part = Math.min(BUFFER / Character.BYTES, count - done);
      buffer.clear().limit(part * Character.BYTES);
      while (buffer.hasRemaining()) {
        if (channel.read(buffer, (from + done) * Character.BYTES + buffer.position()) < 0) {
          throw new IOException(path + " ends early");
        }
      }
      buffer.flip().asCharBuffer().get(into, done, part);
      done += part;
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
    Files.deleteIfExists(path);
  }
}
