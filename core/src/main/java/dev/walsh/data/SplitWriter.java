package dev.walsh.data;

import dev.walsh.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Writes the tokens of one split as shards NAME-00000.bin, NAME-00001.bin, … of a given size, the last one smaller. */
final class SplitWriter implements AutoCloseable {
  private static final int BLOCK = 1 << 16;

  private final Path folder;
  private final String name;
  private final Tokenizer tokenizer;
  private final long total;
  private final int shardTokens;
  private final List<Manifest.Entry> shards = new ArrayList<>();
  private final char[] block = new char[BLOCK];
  private @Nullable ShardWriter shard;
  private long written;
  private long bytes;
  private long documents;

  /**
   * Begins a split.
   *
   * @param total how many tokens it will have
   */
  SplitWriter(Path folder, String name, Tokenizer tokenizer, long total, int shardTokens) {
    this.folder = folder;
    this.name = name;
    this.tokenizer = tokenizer;
    this.total = total;
    this.shardTokens = shardTokens;
  }

  /** Appends an end-of-text token. */
  void endOfText() throws IOException {
    block[0] = (char) tokenizer.endOfText();
    append(1);
  }

  /** Appends tokens of the spool that belong to one document. */
  void document(Spool spool, long from, long to) throws IOException {
    documents++;
    for (long at = from; at < to; at += BLOCK) {
      int count = (int) Math.min(BLOCK, to - at);
      spool.read(at, block, count);
      append(count);
    }
  }

  private void append(int count) throws IOException {
    for (int i = 0; i < count; i++) {
      bytes += tokenizer.byteCount(block[i]);
    }
    for (int done = 0; done < count;) {
      if (shard == null) {
        var file = folder.resolve(String.format(Locale.ROOT, "%s-%05d.bin", name, shards.size()));
        shard = new ShardWriter(file, (int) Math.min(shardTokens, total - written));
      }
      int part = Math.min(count - done, shard.left());
      shard.append(block, done, done + part);
      done += part;
      written += part;
      if (shard.left() == 0) {
        shards.add(shard.finish());
        shard.close();
        shard = null;
      }
    }
  }

  /** The split, after its last token. */
  Manifest.Part finish() {
    if (written != total) {
      throw new IllegalStateException(written + " tokens of " + total);
    }
    return new Manifest.Part(documents, total, bytes, shards);
  }

  @Override
  public void close() throws IOException {
    if (shard != null) {
      shard.close();
    }
  }
}
