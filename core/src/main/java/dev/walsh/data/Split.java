package dev.walsh.data;

import java.util.List;

/** The tokens of one split: its shards, one after the other. Safe to read from several threads until its dataset is closed. */
public final class Split {
  private final String name;
  private final List<Shard> shards;
  /** Where each shard begins, and at the end the number of all tokens. */
  private final long[] starts;

  Split(String name, List<Shard> shards) {
    this.name = name;
    this.shards = List.copyOf(shards);
    starts = new long[shards.size() + 1];
    for (int i = 0; i < shards.size(); i++) {
      starts[i + 1] = starts[i] + shards.get(i).count();
    }
  }

  /** What it is, for messages: "train split of data/books". */
  public String name() {
    return name;
  }

  /** The number of tokens. */
  public long tokens() {
    return starts[shards.size()];
  }

  /** Copies tokens, as unsigned 16-bit numbers, from a position on to the front of an array. */
  public void read(long from, char[] into, int count) {
    if (from < 0 || count < 0 || from + count > tokens()) {
      throw new IndexOutOfBoundsException(count + " tokens from " + from + " on, of " + tokens());
    }
    int shard = 0;
    while (starts[shard + 1] <= from) {
      shard++;
    }
    for (int done = 0; done < count; shard++) {
      long start = from + done - starts[shard];
      int part = (int) Math.min(count - done, shards.get(shard).count() - start);
      shards.get(shard).copy(start, into, done, part);
      done += part;
    }
  }
}
