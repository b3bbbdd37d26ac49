package dev.walsh.generate;

import dev.walsh.config.UserError;
import dev.walsh.model.DecodeState.Span;
import dev.walsh.model.Gpt;
import dev.walsh.model.KvCache;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Whether a model finds the same token likeliest on each way that it reads a text: at once, in chunks, and token by token, operator by operator
 * and as a graph. Every way is given the same text (teacher forcing), so that one miss does not bring others.
 */
public final class PathAgreement {
  /** Tokens of a chunk: no multiple of a page, so that chunks begin and end within pages. */
  private static final int CHUNK = 37;

  private PathAgreement() {}

  /**
   * A position at which a way chose otherwise.
   *
   * @param gap by how much the two largest logits of the whole pass differ there
   */
  public record Miss(int window, int position, double gap) {}

  /** A way, the positions at which it was asked, and those at which it chose otherwise than the whole pass. */
  public record Path(String name, int positions, List<Miss> misses) {
    /** The share of positions at which both chose alike. */
    public double agreement() {
      return 1 - misses.size() / (double) positions;
    }

    /** The largest gap between the two likeliest tokens that a miss stands at; 0 without misses. */
    public double largestGap() {
      return misses.stream().mapToDouble(Miss::gap).max().orElse(0);
    }
  }

  /**
   * A text of the model's own, sampled from all of its probability.
   *
   * @param first the token that it begins with, such as the one between documents
   * @param positions how many tokens at least, in windows of the model's context or less
   * @return windows of equal length
   */
  public static long[][] ownText(Gpt model, int first, int positions, long seed) throws InterruptedException {
    int length = Math.min(positions, model.config().context());
    int windows = Math.ceilDiv(positions, length);
    var text = new long[windows][length];
    try (var cache = KvCache.of(model, windows, cacheTokens(windows, length), model.device().bytesAvailable());
        var generator = new Generator(model, cache, length, windows, true)) {
      var under = new ArrayList<Generation>();
      for (int i = 0; i < windows && length > 1; i++) {
        under.add(generator.submit(new Request(new int[] {first}, length - 1, -1, new Sampling(1, 0, 1, 1, seed), i)));
      }
      for (int i = 0; i < windows; i++) {
        text[i][0] = first;
        if (length == 1) continue;
        var made = under.get(i).result().join().tokens();
        for (int t = 1; t < length; t++) text[i][t] = made[t - 1];
      }
    }
    return text;
  }

  /**
   * Cuts a text into windows.
   *
   * @throws UserError where it is too short
   */
  public static long[][] windows(Gpt model, int[] tokens, int positions) {
    int length = Math.min(positions, model.config().context());
    int windows = Math.ceilDiv(positions, length);
    if (tokens.length < windows * length) {
      throw new UserError(
          "The text has " + tokens.length + " tokens and " + windows * length + " are needed; give a longer one, or ask for "
              + "fewer positions");
    }
    return IntStream.range(0, windows).mapToObj(i -> Arrays.stream(tokens, i * length, (i + 1) * length).asLongStream().toArray()).toArray(
        long[][]::new);
  }

  /** Asks on every way at every position of windows of equal length; the graph only on the GPU. */
  public static List<Path> measure(Gpt model, long[][] text) {
    int windows = text.length;
    int length = text[0].length;
    var whole = new long[windows][];
    var gaps = new double[windows][];
    try (var scope = Scope.withoutGradients()) {
      for (int i = 0; i < windows; i++) {
        try (var inner = Scope.withoutGradients()) {
          var logits = logits(model, model.hidden(tokens(model, text[i]).unsqueeze(0)).squeeze(0));
          whole[i] = choices(logits);
          var two = logits.to(torch.ScalarType.Float).topk(2).get0();
          gaps[i] = Memory.doubles(two.select(1, 0).sub(two.select(1, 1)));
        }
      }
    }
    var paths = new ArrayList<Path>();
    paths.add(compare("in chunks", whole, gaps, chunked(model, text)));
    paths.add(compare("token by token", whole, gaps, stepwise(model, text, false)));
    if (model.device() == Device.CUDA) paths.add(compare("token by token, as a graph", whole, gaps, stepwise(model, text, true)));
    return paths;
  }

  private static Path compare(String name, long[][] whole, double[][] gaps, long[][] chosen) {
    var misses = new ArrayList<Miss>();
    for (int i = 0; i < whole.length; i++) {
      for (int t = 0; t < whole[i].length; t++) if (whole[i][t] != chosen[i][t]) misses.add(new Miss(i, t, gaps[i][t]));
    }
    return new Path(name, whole.length * whole[0].length, List.copyOf(misses));
  }

  private static KvCache cache(Gpt model, long[][] text) {
    return KvCache.of(model, text.length, cacheTokens(text.length, text[0].length), model.device().bytesAvailable());
  }

  private static long cacheTokens(int windows, int length) {
    return (long) windows * Math.ceilDiv(length, KvCache.PAGE_TOKENS) * KvCache.PAGE_TOKENS;
  }

  private static long[][] chunked(Gpt model, long[][] text) {
    int length = text[0].length;
    var chosen = new long[text.length][length];
    try (var cache = cache(model, text)) {
      for (int i = 0; i < text.length; i++) {
        int place = cache.open();
        for (int from = 0; from < length; from += CHUNK) {
          int to = Math.min(length, from + CHUNK);
          try (var scope = Scope.withoutGradients()) {
            var hidden = model.hidden(tokens(model, Arrays.copyOfRange(text[i], from, to)),
                cache.extend(List.of(new Span(place, to - from))));
            System.arraycopy(choices(logits(model, hidden)), 0, chosen[i], from, to - from);
          }
        }
      }
    }
    return chosen;
  }

  /** As generating does it, a row for each window, but that the next token is the text's. */
  private static long[][] stepwise(Gpt model, long[][] text, boolean graphs) {
    int windows = text.length;
    int length = text[0].length;
    var chosen = new long[windows][length];
    try (var cache = cache(model, text); var batch = new DecodeBatch(model, cache, graphs)) {
      try (var scope = Scope.withoutGradients()) {
        var entries = new ArrayList<DecodeBatch.Entry>();
        for (int i = 0; i < windows; i++) {
          int place = cache.open();
          cache.reserve(place, length);
          entries.add(new DecodeBatch.Entry(place, Sampling.GREEDY, i, new int[0]));
        }
        // Nothing has been read yet, so what is chosen here is of no use.
        var unused = batch.enter(entries, torch.ones(new long[] {windows, model.config().width()}, model.device().options(model.dtype())))
            .await();
      }
      for (int t = 0; t < length; t++) {
        int now = t;
        batch.feed(Arrays.stream(text).mapToLong(window -> window[now]).toArray());
        var made = batch.step().await();
        for (int i = 0; i < windows; i++) chosen[i][t] = made[i];
      }
    }
    return chosen;
  }

  private static Tensor logits(Gpt model, Tensor hidden) {
    return model.logits(hidden).narrow(1, 0, model.config().vocabulary());
  }

  private static long[] choices(Tensor logits) {
    return Arrays.stream(Memory.doubles(logits.argmax(new LongOptional(1), false))).mapToLong(id -> (long) id).toArray();
  }

  private static Tensor tokens(Gpt model, long[] ids) {
    return Memory.tensor(ids, ids.length).to(model.device().options(Dtype.I64), false, false, null);
  }
}
