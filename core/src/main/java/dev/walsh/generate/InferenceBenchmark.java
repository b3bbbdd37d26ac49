package dev.walsh.generate;

import dev.walsh.model.DecodeState;
import dev.walsh.model.DecodeState.Span;
import dev.walsh.model.Gpt;
import dev.walsh.model.KvCache;
import dev.walsh.model.RecurrentState;
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
   * @param attention the short name of its kind
   * @param cacheBytes of keys and values, and of states
   * @param workspaceBytes what the GPU holds besides weights and cache; 0 on the CPU
   * @param bytes that must be moved at least: all weights and what the cache holds are read, states read and written by each step
   * @param flops of its matrix products
   */
  public record Result(String name, String attention, double[] seconds, double[] rounds, long weightBytes, long cacheBytes,
      long workspaceBytes, double bytes,
      double flops) {}

  /** The context that models need, where they have any. */
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
    try (var scope = Scope.withoutGradients(); var state = DecodeState.of(model, 1, length, Long.MAX_VALUE); var rows = state.rows()) {
      var whole = model.hidden(tokens(model, ids).unsqueeze(0)).squeeze(0);
      int place = state.open();
      int first = length / 2;
      var unused = model.hidden(tokens(model, Arrays.copyOf(ids, first)), state.extend(List.of(new Span(place, first))));
      state.reserve(place, length);
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
    private final DecodeState state;
    private final Work work;
    private final List<double[]> times = new ArrayList<>();
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
      state = DecodeState.of(model, batch, batch * pages * KvCache.PAGE_TOKENS, device.bytesAvailable());
      for (int i = 0; i < batch; i++) state.open();
      work = switch (kind) {
        case DECODE -> new Decoding(model, state, batch, length, graphs);
        case PREFILL -> new Reading(model, state, batch, length, graphs);
      };
    }

    /** The first rounds, which prepare what libraries do once; what the device holds then, for this turn, it holds to the end. */
    void warmUp() {
      for (int i = 0; i < WARM_UP; i++) work.round();
      model.device().freeUnused();
      held = model.device().bytesInUse() - before;
    }

    double[] round() {
      return work.round();
    }

    Result result() {
      var all = times.stream().flatMapToDouble(Arrays::stream).sorted().toArray();
      var rounds = times.stream().mapToDouble(t -> {
        var sorted = t.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
      }).toArray();
      return new Result(subject.name, model.config().attention().name(), all, rounds, subject.weightBytes, state.bytes(),
          Math.max(0, held - state.bytes()), moved(), flops());
    }

    private double moved() {
      var config = model.config();
      double states = (double) batch * RecurrentState.bytes(config);
      // A prompt's states begin as nothing.
      return subject.weightBytes + (double) batch * length * KvCache.tokenBytes(config, model.dtype())
          + (kind == Kind.DECODE ? 2 : 1) * states;
    }

    private double flops() {
      var config = model.config();
      double tokens = kind == Kind.DECODE ? batch : (double) batch * length;
      // Half of a prompt's pairs are masked, and only last tokens have logits.
      double pairs = kind == Kind.DECODE ? length : length / 2.0;
      double head = (double) config.paddedVocabulary() * config.width();
      double matrices = Gpt.parameters(config) - head;
      double sums = kind == Kind.DECODE ? RecurrentState.stepFlops(config) : RecurrentState.sequenceFlops(config, length);
      return 2 * tokens * matrices + 2.0 * batch * head + 4.0 * tokens * pairs * config.softmaxLayers() * config.width() + batch * sums;
    }

    @Override
    public void close() {
      work.close();
      state.close();
      model.device().freeUnused();
    }
  }

  /** What a round consists of. */
  private sealed interface Work extends AutoCloseable {
    /** The seconds of each of its parts. */
    double[] round();

    @Override
    void close();
  }

  /** Whole prompts to their first tokens; further rounds add the same to what is remembered. */
  private static final class Reading implements Work {
    private final Gpt model;
    private final GraphRunner runner;

    Reading(Gpt model, DecodeState state, int batch, int length, boolean graphs) {
      this.model = model;
      var ids = tokens(model, new Random(2).longs((long) batch * length, 0, model.config().vocabulary()).toArray());
      var last = tokens(model, LongStream.range(0, batch).map(i -> (i + 1) * length - 1).toArray());
      var pass = state.extend(IntStream.range(0, batch).mapToObj(i -> new Span(i, length)).toList());
      runner = new GraphRunner("Prefill", () -> {
        try (var scope = Scope.withoutGradients()) {
          var chosen = model.logits(model.hidden(ids, pass).index_select(0, last)).argmax();
        }
      }, graphs && model.device() == Device.CUDA);
    }

    @Override
    public double[] round() {
      model.device().synchronize();
      long start = System.nanoTime();
      runner.run();
      model.device().synchronize();
      return new double[] {(System.nanoTime() - start) * 1e-9};
    }

    @Override
    public void close() {
      runner.close();
    }
  }

  /** Steps from the tokens of one to those of the next, the host being a step ahead. */
  private static final class Decoding implements Work {
    private final Gpt model;
    private final DecodeState state;
    private final int batch;
    private final int length;
    private final DecodeBatch steps;

    Decoding(Gpt model, DecodeState state, int batch, int length, boolean graphs) {
      this.model = model;
      this.state = state;
      this.batch = batch;
      this.length = length;
      steps = new DecodeBatch(model, state, graphs);
    }

    @Override
    public double[] round() {
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
        for (int i = 0; i < batch; i++) state.release(i);
        for (int i = 0; i < batch; i++) {
          state.skip(state.open(), start);
          state.reserve(i, start + STEPS);
        }
        var last = torch.ones(new long[] {batch, model.config().width()}, model.device().options(model.dtype()));
        var entries = IntStream.range(0, batch).mapToObj(i -> new DecodeBatch.Entry(i, Sampling.GREEDY, i, new int[0])).toList();
        var unused = steps.enter(entries, last).await();
      }
    }

    @Override
    public void close() {
      steps.close();
    }
  }
}
