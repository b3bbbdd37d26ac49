package dev.walsh.generate;

import dev.walsh.kernels.nn.TokenChoice;
import dev.walsh.model.DecodeState;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Download;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.GraphRunner;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Upload;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The sequences that go on by a token a step, all at once: one token each goes in, the next comes out and is the next step's, and the host
 * takes no part in it but to ask for the step. Sequences lie in the first rows of tensors that stay where they are. On the GPU a step is a
 * graph, one for each power of two of rows, the rows beyond the sequences computing what nobody reads; on the CPU it is just run.
 */
public final class DecodeBatch implements AutoCloseable {
  private final Gpt model;
  private final DecodeState.Rows rows;
  private final int most;
  private final boolean graphs;
  private final Map<Integer, GraphRunner> runners = new HashMap<>();
  private final Tensor ids;
  // (rows): how many tokens each row has been given, also where it is free
  private final Tensor turns;
  // (fields,rows)
  private final Tensor rules;
  // (rows,V), bytes
  private final Tensor seen;
  private final Upload upload;
  private final Download download;
  /** What {@link #turns} will be when the device has done what it was asked for. */
  private final int[] turn;
  private int size;

  /** @param graphs whether the GPU gets a step as one graph, rather than operator by operator */
  public DecodeBatch(Gpt model, DecodeState state, boolean graphs) {
    this.model = model;
    this.graphs = graphs && model.device() == Device.CUDA && state.hasFixedRows();
    most = state.places();
    rows = state.rows();
    upload = new Upload(model.device(), TokenChoice.FIELDS);
    download = new Download(model.device(), most);
    turn = new int[most];
    try (var scope = Scope.withoutGradients()) {
      var whole = model.device().options(Dtype.I64);
      ids = scope.keep(torch.zeros(new long[] {most}, whole));
      turns = scope.keep(torch.zeros(new long[] {most}, whole));
      rules = scope.keep(torch.zeros(new long[] {TokenChoice.FIELDS, most}, whole));
      seen = scope.keep(torch.zeros(new long[] {most, model.config().paddedVocabulary()}, model.device().options(Dtype.I8)));
      rules.copy_(Memory.tensor(Sampling.GREEDY.rules(0), TokenChoice.FIELDS, 1));
    }
  }

  /** The sequences in it. */
  public int size() {
    return size;
  }

  /**
   * Adds sequences whose prompts the state holds, and chooses their first tokens.
   *
   * @param last (n,C), on the model's last layer: the last token of each
   * @return the tokens, −1 where a model's logits are not finite
   */
  public Download.Pending enter(List<Entry> entries, Tensor last) {
    int first = size;
    for (var entry : entries) {
      rows.enter(size, entry.place);
      rule(size, entry.sampling.rules(entry.sequence));
      if (entry.sampling.penalty() != 1) mark(size, entry.prompt);
      size++;
    }
    try (var scope = Scope.withoutGradients()) {
      var before = rows.positions(size).narrow(0, first, entries.size()).sub(new Scalar(1));
      choose(last, first, entries.size(), before);
    }
    return chosen(first, size, size);
  }

  /**
   * A sequence that joins.
   *
   * @param place in the state, with room for all tokens it may get
   * @param sequence number of it, which random numbers depend on
   */
  public record Entry(int place, Sampling sampling, long sequence, int[] prompt) {}

  private void rule(int row, long[] numbers) {
    MemorySegment.copy(numbers, 0, upload.memory(), ValueLayout.JAVA_LONG, 0, numbers.length);
    try (var scope = Scope.withoutGradients()) {
      upload.copy(0, rules.select(1, row));
    }
    upload.send();
  }

  private void mark(int row, int[] prompt) {
    try (var scope = Scope.withoutGradients()) {
      var tokens = Memory.tensor(LongStream.range(0, prompt.length).map(i -> prompt[(int) i]).toArray(), prompt.length);
      seen.select(0, row).zero_().index_fill_(0, tokens.to(ids.options(), false, false, null), new Scalar(1));
    }
  }

  /** Takes the sequence of a row out; that of the last row takes its place. */
  public void leave(int row) {
    int last = --size;
    rows.leave(row);
    if (row == last) return;
    rows.move(last, row);
    try (var scope = Scope.withoutGradients()) {
      ids.narrow(0, row, 1).copy_(ids.narrow(0, last, 1));
      rules.select(1, row).copy_(rules.select(1, last));
      seen.select(0, row).copy_(seen.select(0, last));
    }
  }

  /** Asks for a step; what comes are the tokens of the rows as they are now, −1 where a model's logits are not finite. */
  public Download.Pending step() {
    int computed = graphs ? Math.min(most, Integer.highestOneBit(Math.max(1, 2 * size - 1))) : size;
    runners.computeIfAbsent(computed, n -> new GraphRunner("A step of decoding", () -> work(n), graphs)).run();
    return chosen(0, size, computed);
  }

  /** The tokens of the rows from {@code first} to {@code end}, which were chosen for all rows up to {@code computed}. */
  private Download.Pending chosen(int first, int end, int computed) {
    var pending = download.begin(first, Arrays.copyOfRange(turn, first, end));
    for (int row = first; row < computed; row++) turn[row]++;
    return pending;
  }

  /** Makes these the tokens that the next step reads, a token for each row, in place of those that were chosen. */
  void feed(long[] tokens) {
    try (var scope = Scope.withoutGradients()) {
      ids.narrow(0, 0, size).copy_(Memory.tensor(tokens, size));
    }
  }

  private void work(int n) {
    try (var scope = Scope.withoutGradients()) {
      choose(model.hidden(ids.narrow(0, 0, n), rows.pass(n)), 0, n, rows.positions(n));
      rows.advance(n);
    }
  }

  private void choose(Tensor hidden, int first, int n, Tensor positions) {
    TokenChoice.apply(model.logits(hidden), model.config().vocabulary(), rules.narrow(1, first, n), positions, seen.narrow(0, first, n),
        ids.narrow(0, first, n), download.memory().narrow(1, first, n), turns.narrow(0, first, n));
  }

  @Override
  public void close() {
    runners.values().forEach(GraphRunner::close);
    rows.close();
    upload.close();
    download.close();
    for (var t : List.of(ids, turns, rules, seen)) t.close();
  }
}
