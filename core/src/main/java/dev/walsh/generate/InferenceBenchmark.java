package dev.walsh.generate;

import dev.walsh.model.DecodeState.Span;
import dev.walsh.model.Gpt;
import dev.walsh.model.KvCache;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Download;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.GraphRunner;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Prefill and decode by the clock, several models in turns so that all see the same clocks and neighbours. What single tokens give is checked
 * against the whole forward pass first.
 */
public final class InferenceBenchmark {
  /** What is timed. */
  public enum Kind {
    /** Steps of a token for each sequence, as {@link DecodeBatch} runs them, from token to token. */
    DECODE,
    /** Whole prompts at once, to the first token. */
    PREFILL;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Tokens that decoding goes on for in a round: half of them before the length that is asked for, as far as there is room. */
  static final int STEPS = 8;
  /** The second round is that which captures. */
  private static final int WARM_UP = 2;

  private InferenceBenchmark() {}

  /** A model that is timed. */
  public record Subject(String name, Gpt model, long weightBytes) {}

  /**
   * What was measured.
   *
   * @param seconds of each step, or of each prefill
   * @param rounds the median of each round
   * @param cacheBytes of keys and values
   * @param workspaceBytes what the GPU holds besides weights and cache; 0 on the CPU
   * @param bytes that a step must read at least: all weights and what the cache holds
   * @param flops of its matrix products
   */
  public record Result(String name, double[] seconds, double[] rounds, long weightBytes, long cacheBytes, long workspaceBytes, double bytes,
      double flops) {}

  /** The context that models need. */
  public static int context(int length) {
    return length + STEPS;
  }

  /**
   * Times one cell.
   *
   * @param length of the sequences, in tokens
   * @param graphs whether the GPU gets the work as one graph
   */
  public static List<Result> run(Kind kind, List<Subject> subjects, int batch, int length, boolean graphs, int rounds) {
    var turns = new ArrayList<Turn>();
    // What turns hand to a graph lives as long as they do.
    try (var scope = Scope.withoutGradients()) {
      for (var subject : subjects) {
        var turn = new Turn(kind, subject, batch, length, graphs);
        turns.add(turn);
        turn.warmUp();
      }
      for (int i = 0; i < rounds; i++) for (var turn : turns) turn.times.add(turn.round());
      return turns.stream().map(Turn::result).toList();
    } finally {
      turns.forEach(Turn::close);
    }
  }

  /**
   * Checks a model's single tokens against its whole forward pass.
   *
   * @throws IllegalStateException where they differ by more than rounding
   */
  public static void verify(Gpt model) {
    int length = Math.min(24, model.config().context() - 1);
    var random = new Random(1);
    var ids = random.longs(length, 0, model.config().vocabulary()).toArray();
    try (var scope = Scope.withoutGradients(); var cache = KvCache.of(model, 1, length, Long.MAX_VALUE); var rows = cache.rows()) {
      var whole = model.hidden(tokens(model, ids).unsqueeze(0)).squeeze(0);
      int place = cache.open();
      int first = length / 2;
      var unused = model.hidden(tokens(model, Arrays.copyOf(ids, first)), cache.extend(List.of(new Span(place, first))));
      cache.reserve(place, length);
      rows.enter(0, place);
      for (int t = first; t < length; t++) {
        var last = model.hidden(tokens(model, ids[t]), rows.pass(1));
        rows.advance(1);
        double error = last.sub(whole.narrow(0, t, 1)).abs().max().item_double() / whole.abs().max().item_double();
        double allowed = model.dtype() == Dtype.F32 ? 1e-3 : 0.1;
        if (!(error < allowed)) throw new IllegalStateException("token " + t + " is " + error + " from the whole forward pass");
      }
    }
  }

  private static Tensor tokens(Gpt model, long... ids) {
    return Memory.tensor(ids, ids.length).to(model.device().options(Dtype.I64), false, false, null);
  }

  /** One model's part of a cell. */
  private static final class Turn implements AutoCloseable {
    private final Kind kind;
    private final Subject subject;
    private final Gpt model;
    private final int batch;
    private final int length;
    private final long before;
    private final KvCache cache;
    private final DecodeBatch steps;
    private final List<double[]> times = new ArrayList<>();
    private final GraphRunner prefill;
    private long held;

    Turn(Kind kind, Subject subject, int batch, int length, boolean graphs) {
      this.kind = kind;
      this.subject = subject;
      this.batch = batch;
      this.length = length;
      model = subject.model;
      var device = model.device();
      device.freeUnused();
      before = device.bytesInUse();
      long pages = Math.ceilDiv(context(length), KvCache.PAGE_TOKENS);
      cache = KvCache.of(model, batch, batch * pages * KvCache.PAGE_TOKENS, device.bytesAvailable());
      steps = new DecodeBatch(model, cache, graphs);
      var ids = tokens(model, new Random(2).longs((long) batch * length, 0, model.config().vocabulary()).toArray());
      var last = tokens(model, LongStream.range(0, batch).map(i -> (i + 1) * length - 1).toArray());
      for (int i = 0; i < batch; i++) cache.open();
      var pass = cache.extend(IntStream.range(0, batch).mapToObj(i -> new Span(i, length)).toList());
      prefill = new GraphRunner("Prefill", () -> {
        try (var scope = Scope.withoutGradients()) {
          var chosen = model.logits(model.hidden(ids, pass).index_select(0, last)).argmax();
        }
      }, graphs && device == Device.CUDA);
    }

    /** The first rounds, which prepare what libraries do once; what the device holds then, for this turn, it holds to the end. */
    void warmUp() {
      for (int i = 0; i < WARM_UP; i++) round();
      model.device().freeUnused();
      held = model.device().bytesInUse() - before;
    }

    double[] round() {
      return kind == Kind.PREFILL ? new double[] {prefill()} : decode();
    }

    private double prefill() {
      model.device().synchronize();
      long start = System.nanoTime();
      prefill.run();
      model.device().synchronize();
      return (System.nanoTime() - start) * 1e-9;
    }

    /** From the tokens of one step to those of the next, the host being a step ahead. */
    private double[] decode() {
      begin();
      var seconds = new double[STEPS - 1];
      Download.Pending under = steps.step();
      long arrived = 0;
      for (int i = 0; i < STEPS; i++) {
        var next = i + 1 < STEPS ? steps.step() : null;
        var tokens = under.await();
        if (Arrays.stream(tokens).anyMatch(id -> id < 0)) throw new IllegalStateException("the model's logits are not finite");
        long now = System.nanoTime();
        if (i > 0) seconds[i - 1] = (now - arrived) * 1e-9;
        arrived = now;
        if (next != null) under = next;
      }
      for (int row = batch - 1; row >= 0; row--) steps.leave(row);
      return seconds;
    }

    /** All sequences at their beginnings, as though their prompts had been read. */
    private void begin() {
      int start = Math.max(1, length - STEPS / 2);
      try (var scope = Scope.withoutGradients()) {
        for (int i = 0; i < batch; i++) cache.release(i);
        for (int i = 0; i < batch; i++) cache.open();
        var unread = cache.extend(IntStream.range(0, batch).mapToObj(i -> new Span(i, start)).toList());
        for (int i = 0; i < batch; i++) cache.reserve(i, start + STEPS);
        var last = torch.ones(new long[] {batch, model.config().width()}, model.device().options(model.dtype()));
        var entries = IntStream.range(0, batch).mapToObj(i -> new DecodeBatch.Entry(i, Sampling.GREEDY, i, new int[0])).toList();
        var unused = steps.enter(entries, last).await();
      }
    }

    Result result() {
      var all = times.stream().flatMapToDouble(Arrays::stream).sorted().toArray();
      var rounds = times.stream().mapToDouble(t -> {
        var sorted = t.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
      }).toArray();
      var config = model.config();
      double tokens = kind == Kind.DECODE ? batch : (double) batch * length;
      // Half of a prompt's pairs are masked, and only last tokens have logits.
      double pairs = kind == Kind.DECODE ? length : length / 2.0;
      double head = (double) config.paddedVocabulary() * config.width();
      double matrices = Gpt.parameters(config) - head;
      double flops = 2 * tokens * matrices + 2.0 * batch * head + 4.0 * tokens * pairs * config.layers() * config.width();
      double read = subject.weightBytes + (double) batch * length * KvCache.tokenBytes(config, model.dtype());
      return new Result(subject.name, all, rounds, subject.weightBytes, cache.bytes(), Math.max(0, held - cache.bytes()), read, flops);
    }

    @Override
    public void close() {
      prefill.close();
      steps.close();
      cache.close();
      model.device().freeUnused();
    }
  }
}
