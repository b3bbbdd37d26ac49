package dev.walsh.eval;

import java.util.Arrays;

/**
 * Tokens of which the last are scored: the model reads all but the last, and what it predicts for the last {@code scored} is compared.
 *
 * @param tokens at most one more than the model's context
 * @param scored fewer than there are tokens
 */
@SuppressWarnings("ArrayRecordComponent") // Passed on, never compared.
record Sequence(int[] tokens, int scored, boolean truncated) {
  /** The sequence of a context and what follows it, cut from the left so that the model, which reads {@code context} tokens, can. */
  static Sequence of(int[] before, int[] after, int context) {
    int all = before.length + after.length;
    int kept = Math.min(all, context + 1);
    var tokens = Arrays.copyOf(before, all);
    System.arraycopy(after, 0, tokens, before.length, after.length);
    return new Sequence(Arrays.copyOfRange(tokens, all - kept, all), Math.min(after.length, kept - 1), kept < all);
  }

  /** How many tokens the model reads. */
  int length() {
    return tokens.length - 1;
  }
}
