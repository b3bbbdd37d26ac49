package dev.walsh.model;

import java.util.List;

/**
 * New tokens of sequences in neighbouring slots, as many of each, which attention that counts no positions goes on with at once.
 *
 * @param first of the tokens of a pass
 * @param tokens of each sequence
 * @param slot of the first sequence
 * @param sequences of successive slots
 * @param position of the first sequence's first token
 */
record SpanRun(int first, int tokens, int slot, int sequences, int position) {
  /** Adds a sequence's tokens to the last of the runs, where that may be and they continue it, or as one more. */
  static void add(List<SpanRun> runs, int tokens, int slot, int position, boolean mayJoin) {
    if (runs.isEmpty()) {
      runs.add(new SpanRun(0, tokens, slot, 1, position));
      return;
    }
    var last = runs.getLast();
    if (mayJoin && tokens == last.tokens && slot == last.slot + last.sequences) {
      runs.set(runs.size() - 1, new SpanRun(last.first, tokens, last.slot, last.sequences + 1, last.position));
    } else {
      runs.add(new SpanRun(last.first + last.sequences * last.tokens, tokens, slot, 1, position));
    }
  }
}
