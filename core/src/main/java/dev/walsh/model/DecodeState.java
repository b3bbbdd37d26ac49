package dev.walsh.model;

import dev.walsh.tensor.Scope;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * What a model remembers of the sequences that it is going on with, in memory that was taken beforehand. A sequence has a place in it, from
 * {@link #open} to {@link #release}; its tokens are given in chunks ({@link #extend}) or, for many sequences, one by one ({@link Rows}).
 * The whole sequence at once, in chunks, and token by token are the same function, up to rounding.
 *
 * <p>For one thread, the one that runs the model.
 */
public sealed interface DecodeState extends AutoCloseable permits KvCache, RecurrentState, MixedState {
  /**
   * What a model remembers sequences by: pages of keys and values, states of constant size where its attention is linear, or both.
   *
   * @param places the most sequences
   * @param tokens of all sequences together; at least a context's
   * @param available bytes that there are for it
   * @throws dev.walsh.config.UserError where that is less than it needs
   */
  static DecodeState of(Gpt model, int places, long tokens, long available) {
    int softmax = model.config().softmaxLayers();
    if (softmax == 0) return RecurrentState.of(model, places, available);
    return softmax == model.config().layers()
        ? KvCache.of(model, places, tokens, available)
        : MixedState.of(model, places, tokens, available);
  }

  /** New tokens of one sequence. */
  record Span(int place, int tokens) {}

  /** What attention is in one forward pass of new tokens. */
  @FunctionalInterface
  interface Pass {
    /**
     * Adds the new tokens to what a layer remembers, and attends to it.
     *
     * @param packed (N,3C), contiguous and nobody else's: the tokens' queries, keys and values, which this rotates
     * @return (N,C), the concatenated heads
     */
    Tensor attend(int layer, Tensor packed);
  }

  /**
   * Sequences that go on by one token each, all at once, from tensors that stay where they are: where {@link #hasFixedRows}, a graph of the
   * GPU can hold such a pass. A row without a sequence computes something that nobody reads, and touches no sequence.
   */
  interface Rows extends AutoCloseable {
    /** Gives a row, which has none, a sequence; its whole room must be reserved already. */
    void enter(int row, int place);

    /** Moves a sequence to a row that has none. */
    void move(int from, int to);

    /** Takes the sequence of a row away. */
    void leave(int row);

    /** The pass of one token for each of the first rows, in the device's own order of time. */
    Pass pass(int rows);

    /** The positions of the first rows' next tokens: (rows) int64, on the device. */
    Tensor positions(int rows);

    /** On the device: counts the token of each of the first rows. */
    void advance(int rows);

    @Override
    void close();
  }

  /** A place for a new sequence; −1 if all are taken. */
  int open();

  /** Forgets a sequence. */
  void release(int place);

  /** Makes sure that a sequence has room for {@code length} tokens in all; false, and nothing has changed, if there is too little. */
  boolean reserve(int place, int length);

  /** Whether {@link #reserve} could ever succeed, were nobody else there. */
  boolean couldHold(int length);

  /** The pass that adds the next tokens of some sequences, one behind another, which reserves their room; in the innermost {@link Scope}. */
  Pass extend(List<Span> spans);

  /**
   * Counts tokens of a sequence as though they had been read, reserving their room: what is remembered of them is whatever memory holds,
   * which takes as long to go on from.
   */
  void skip(int place, int tokens);

  /** The tokens of a sequence that {@link #extend} or {@link #skip} was given. */
  int length(int place);

  /** The most sequences. */
  int places();

  /** New rows at fixed addresses, as many as there are places; one set of them at a time. */
  Rows rows();

  /** Whether a pass of rows is the same work on the same tensors, whatever sequences they are of. */
  default boolean hasFixedRows() {
    return true;
  }

  /** The memory taken, in bytes. */
  long bytes();

  /** The part of it that sequences have. */
  long bytesInUse();

  @Override
  void close();
}
