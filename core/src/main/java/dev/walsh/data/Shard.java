package dev.walsh.data;

import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/**
 * A file of tokens in the format of llm.c, mapped into memory: 256 little-endian 32-bit integers, which are the magic number 20240520, the
 * version 1, the number of tokens and zeros, and then the tokens in 16 bits each.
 */
final class Shard {
  static final int MAGIC = 20240520;
  static final int VERSION = 1;
  static final int HEADER_BYTES = 256 * Integer.BYTES;
  static final ValueLayout.OfChar TOKEN = ValueLayout.JAVA_CHAR_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final ValueLayout.OfInt FIELD = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int BLOCK = 1 << 15;

  private final Path path;
  private final MemorySegment tokens;

  private Shard(Path path, MemorySegment tokens) {
    this.path = path;
    this.tokens = tokens;
  }

  /**
   * Opens a shard and checks all of it: header, length, and that every token is below the vocabulary. What fails is a UserError that names
   * the file.
   *
   * @param arena how long it stays mapped
   */
  static Shard open(Path path, int vocabulary, Arena arena) {
    try (var channel = FileChannel.open(path)) {
      var file = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
      var shard = new Shard(path, file.asSlice(checkHeader(path, file)));
      shard.checkTokens(vocabulary);
      return shard;
    } catch (IOException error) {
      throw new UserError("Cannot read the shard %s (%s): check the path and the permissions.".formatted(path, Disk.reason(error)),
          error);
    }
  }

  /** Returns where the tokens begin. */
  private static long checkHeader(Path path, MemorySegment file) {
    if (file.byteSize() < HEADER_BYTES) {
      throw new UserError(
          "The shard %s is too short (%d bytes) for its header of %d: fetch it again, or make it with walsh prepare.".formatted(path,
              file.byteSize(), HEADER_BYTES));
    }
    int magic = file.get(FIELD, 0);
    if (magic != MAGIC) {
      throw new UserError(
          "The file %s is no shard of GPT-2 or byte tokens, as its first number is %d and not %d: make one with walsh prepare.".formatted(
              path, magic, MAGIC));
    }
    int version = file.get(FIELD, Integer.BYTES);
    if (version != VERSION) {
      throw new UserError(
          "The shard %s has the version %d and walsh reads version %d: make it again with walsh prepare.".formatted(path, version,
              VERSION));
    }
    int count = file.get(FIELD, 2 * Integer.BYTES);
    long expected = HEADER_BYTES + (long) count * Character.BYTES;
    if (count < 0 || file.byteSize() != expected) {
      throw new UserError(
          "The shard %s says to have %d tokens and so %d bytes, but has %d bytes: it is truncated or damaged, so fetch or make it again."
              .formatted(path, count, expected, file.byteSize()));
    }
    return HEADER_BYTES;
  }

  /** Copies blocks out of the mapping, because over an array the compiler makes vector code of the search for the greatest. */
  private void checkTokens(int vocabulary) {
    char[] block = new char[BLOCK];
    for (long from = 0; from < count(); from += BLOCK) {
      int size = (int) Math.min(BLOCK, count() - from);
      copy(from, block, 0, size);
      int greatest = 0;
      for (int i = 0; i < size; i++) {
        greatest = Math.max(greatest, block[i]);
      }
      if (greatest >= vocabulary) {
        int position = 0;
        while (block[position] < vocabulary) {
          position++;
        }
        throw new UserError(
            "The shard %s has the token %d at position %d, and the vocabulary ends at %d: it was made with another tokenizer or is damaged, so prepare the text again."
                .formatted(path, (int) block[position], from + position, vocabulary - 1));
      }
    }
  }

  Path path() {
    return path;
  }

  /** The number of tokens. */
  long count() {
    return tokens.byteSize() / Character.BYTES;
  }

  /** Copies tokens from a position on to a place in an array. */
  void copy(long from, char[] into, int offset, int length) {
    MemorySegment.copy(tokens, TOKEN, from * Character.BYTES, into, offset, length);
  }
}
