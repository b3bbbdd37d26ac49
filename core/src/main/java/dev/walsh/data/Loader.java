package dev.walsh.data;

import dev.walsh.config.UserError;

/**
 * Batches of a split, as windows of T + 1 tokens that begin every T tokens: the first T are the ids and the last T their targets. Window
 * number p of the run depends on the seed and p alone, whatever the batch size, so the position is one number that can be saved, and ranks
 * or accumulation steps can each take their part by seeking.
 */
public final class Loader {
  private final Split split;
  private final int length;
  private final boolean shuffled;
  private final long seed;
  private final char[] window;
  private Permutation order;
  private long epoch;
  private long position;

  private Loader(Split split, int length, boolean shuffled, long seed) {
    if (length < 1) {
      throw new IllegalArgumentException("windows of " + length + " tokens");
    }
    if (split.tokens() <= length) {
      throw new UserError(
          "The %s has %d tokens, and one window of context %d needs %d: prepare more text, hold out more or less of it with --val-fraction, or choose a shorter context."
              .formatted(split.name(), split.tokens(), length, length + 1L));
    }
    this.split = split;
    this.length = length;
    this.shuffled = shuffled;
    this.seed = seed;
    window = new char[length + 1];
    order = order(0);
  }

  /** Windows in a random order, another one in each epoch, every window once an epoch. */
  public static Loader shuffled(Split split, int length, long seed) {
    return new Loader(split, length, true, seed);
  }

  /** Windows in the order of the text, from the front again after the last. */
  public static Loader sequential(Split split, int length) {
    return new Loader(split, length, false, 0);
  }

  /** The number of windows in the split, which is the length of an epoch. */
  public long windows() {
    return (split.tokens() - 1) / length;
  }

  /** T, the tokens of a window that are fed to the model. */
  public int length() {
    return length;
  }

  /** How many windows have been given since the start of the run. */
  public long position() {
    return position;
  }

  /** Goes on from a position, as {@link #position} gave it or any other that is not negative. */
  public void seek(long newPosition) {
    if (newPosition < 0) {
      throw new IllegalArgumentException("position " + newPosition);
    }
    position = newPosition;
  }

  /** Fills the next windows: ids (B,T) and targets (B,T), row by row; the arrays may be longer. */
  public void next(int batch, long[] ids, long[] targets) {
    for (int row = 0; row < batch; row++) {
      split.read(window(position++) * length, window, length + 1);
      for (int t = 0, i = row * length; t < length; t++, i++) {
        ids[i] = window[t];
        targets[i] = window[t + 1];
      }
    }
  }

  private long window(long at) {
    long index = at % windows();
    if (!shuffled) {
      return index;
    }
    if (at / windows() != epoch) {
      epoch = at / windows();
      order = order(epoch);
    }
    return order.apply(index);
  }

  private Permutation order(long ofEpoch) {
    return new Permutation(windows(), Permutation.mix(Permutation.mix(seed) + ofEpoch));
  }
}
