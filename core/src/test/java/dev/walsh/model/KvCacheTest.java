package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.config.UserError;
import dev.walsh.model.DecodeState.Span;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** One function, computed at once, in chunks and token by token. */
final class KvCacheTest {
  /** Heads of 12 channels, which no vector register divides; several pages a sequence. */
  private static final ModelConfig SMALL = new ModelConfig(2, 48, 4, 64, 80, 61, Projection.named("hadamard-folded"));
  /** Around a page and its multiples, of equal lengths and of unequal ones. */
  static final int[] LENGTHS = {1, 16, 17, 31, 70, 70, 33};

  @ParameterizedTest
  @CsvSource({"hadamard-folded,F64,1e-12", "dense,F64,1e-12", "hadamard-folded,F32,2e-5", "block-diagonal:2,F32,2e-5",
      "hadamard-folded,BF16,6e-2"})
  void chunksAndSingleTokensAreTheWholeForward(String projection, Dtype dtype, double tolerance) {
    compare(SMALL.with(Projection.named(projection)), Device.CPU, dtype, tolerance);
  }

  @ParameterizedTest
  @CsvSource({"48,4,F32,1e-4", "48,4,BF16,6e-2", "128,2,F32,1e-4", "128,2,BF16,6e-2", "192,2,BF16,6e-2", "256,2,BF16,6e-2",
      "256,2,F16,1e-2"})
  void soTheyAreOnTheGpu(int width, int heads, Dtype dtype, double tolerance) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    compare(new ModelConfig(2, width, heads, 64, 80, 61, Projection.named("hadamard-folded")), Device.CUDA, dtype, tolerance);
  }

  private static void compare(ModelConfig config, Device device, Dtype dtype, double tolerance) {
    var weights = new Weights(device, dtype, 3);
    try (var scope = Scope.withoutGradients()) {
      var model = new Gpt(config, weights);
      // Initial weights hardly attend.
      for (var w : weights.all()) if (w.name().endsWith("qkv.weight")) w.value().mul_(new Scalar(8));
      var random = new Random(1);
      var texts = Arrays.stream(LENGTHS).mapToObj(n -> random.longs(n, 0, config.vocabulary()).toArray()).toList();
      var whole = texts.stream().map(ids -> model.hidden(ids(device, ids).unsqueeze(0)).squeeze(0)).toList();
      for (int chunk : new int[] {100, 16, 7, 1}) {
        try (var cache = KvCache.of(model, LENGTHS.length, 400, Long.MAX_VALUE)) {
          assertClose("chunks of " + chunk, inChunks(model, cache, texts, chunk), whole, tolerance);
        }
      }
      try (var cache = KvCache.of(model, LENGTHS.length, 400, Long.MAX_VALUE)) {
        assertClose("rows", inRows(model, cache, texts), whole, tolerance);
      }
    } finally {
      weights.close();
    }
  }

  static Tensor ids(Device device, long... ids) {
    return Memory.tensor(ids, ids.length).to(device.options(Dtype.I64), false, false, null);
  }

  static void assertClose(String how, List<Tensor> actual, List<Tensor> expected, double tolerance) {
    for (int i = 0; i < expected.size(); i++) {
      var error = actual.get(i).sub(expected.get(i)).abs().max().item_double();
      assertThat(error).as("%s, sequence of %d", how, LENGTHS[i]).isLessThan(tolerance * expected.get(i).abs().max().item_double());
    }
  }

  /** All sequences a chunk further in every pass, each from where it is. */
  static List<Tensor> inChunks(Gpt model, DecodeState state, List<long[]> texts, int chunk) {
    var hidden = texts.stream().map(_ -> new TensorVector()).toList();
    var places = texts.stream().map(_ -> state.open()).toList();
    for (int at = 0; at < 80; at += chunk) {
      var spans = new ArrayList<Span>();
      var ids = new ArrayList<long[]>();
      var whose = new ArrayList<Integer>();
      for (int i = 0; i < texts.size(); i++) {
        int count = Math.min(chunk, texts.get(i).length - at);
        if (count <= 0) continue;
        assertThat(state.length(places.get(i))).isEqualTo(at);
        spans.add(new Span(places.get(i), count));
        ids.add(Arrays.copyOfRange(texts.get(i), at, at + count));
        whose.add(i);
      }
      if (spans.isEmpty()) break;
      var all = ids(model.device(), ids.stream().flatMapToLong(Arrays::stream).toArray());
      var out = model.hidden(all, state.extend(spans));
      long row = 0;
      for (int i = 0; i < spans.size(); i++) {
        hidden.get(whose.get(i)).push_back(out.narrow(0, row, spans.get(i).tokens()));
        row += spans.get(i).tokens();
      }
    }
    return hidden.stream().map(parts -> torch.cat(parts, 0)).toList();
  }

  /** The first tokens in one chunk, the rest by rows at fixed addresses, which lose sequences on the way. */
  static List<Tensor> inRows(Gpt model, DecodeState state, List<long[]> texts) {
    var hidden = texts.stream().map(_ -> new TensorVector()).toList();
    var rowOf = new ArrayList<Integer>();
    try (var rows = state.rows()) {
      for (int i = 0; i < texts.size(); i++) {
        int place = state.open();
        var text = texts.get(i);
        int first = (text.length + 1) / 2;
        hidden.get(i)
            .push_back(model.hidden(ids(model.device(), Arrays.copyOf(text, first)), state.extend(List.of(new Span(place, first)))));
        assertThat(state.reserve(place, text.length)).isTrue();
        rows.enter(i, place);
        rowOf.add(i);
      }
      for (int step = 0; !rowOf.isEmpty(); step++) {
        for (int row = rowOf.size() - 1; row >= 0; row--) {
          if (made(texts.get(rowOf.get(row)), step) < texts.get(rowOf.get(row)).length) continue;
          int last = rowOf.size() - 1;
          rows.leave(row);
          if (row < last) rows.move(last, row);
          rowOf.set(row, rowOf.get(last));
          rowOf.remove(last);
        }
        if (rowOf.isEmpty()) break;
        int now = step;
        var next = rowOf.stream().mapToLong(i -> texts.get(i)[made(texts.get(i), now)]).toArray();
        // One more row than there are sequences, as in a graph for a greater number.
        boolean spare = rowOf.size() < texts.size();
        var ids = spare ? Arrays.copyOf(next, next.length + 1) : next;
        var out = model.hidden(ids(model.device(), ids), rows.pass(ids.length));
        rows.advance(ids.length);
        for (int row = 0; row < rowOf.size(); row++) hidden.get(rowOf.get(row)).push_back(out.narrow(0, row, 1));
      }
    }
    return hidden.stream().map(parts -> torch.cat(parts, 0)).toList();
  }

  private static int made(long[] text, int step) {
    return (text.length + 1) / 2 + step;
  }

  @Test
  void pagesAreTakenAsSequencesGrowAndComeBack() {
    var weights = new Weights(Device.CPU, Dtype.F32, 3);
    try (var scope = Scope.withoutGradients(); var cache = KvCache.of(new Gpt(SMALL, weights), 3, 96, Long.MAX_VALUE)) {
      long page = 2L * 2 * 16 * 48 * 4;
      assertThat(cache.bytes()).isEqualTo(7 * page);
      int a = cache.open();
      int b = cache.open();
      assertThat(cache.reserve(a, 16)).isTrue();
      assertThat(cache.bytesInUse()).isEqualTo(page);
      assertThat(cache.reserve(a, 17)).isTrue();
      assertThat(cache.reserve(b, 80)).isFalse();
      assertThat(cache.bytesInUse()).isEqualTo(2 * page);
      assertThat(cache.reserve(b, 64)).isTrue();
      assertThat(cache.open()).isEqualTo(2);
      assertThat(cache.open()).isEqualTo(-1);
      cache.release(a);
      cache.release(b);
      assertThat(cache.bytesInUse()).isZero();
      assertThat(cache.open()).isEqualTo(0);
      assertThat(cache.couldHold(96)).isTrue();
      assertThat(cache.couldHold(97)).isFalse();
    } finally {
      weights.close();
    }
  }

  @Test
  void aCacheThatDoesNotFitIsRefusedBeforeItIsTaken() {
    var weights = new Weights(Device.CPU, Dtype.F32, 3);
    var model = new Gpt(SMALL, weights);
    assertThatThrownBy(() -> KvCache.of(model, 3, 100, 1000)).isInstanceOf(UserError.class)
        .hasMessage("The cache of 112 tokens needs 98,304 bytes, and 1,000 are available; ask for fewer sequences at once or shorter ones");
    weights.close();
  }

  /** What another sequence left behind, be it no number, is nothing to the next. */
  @ParameterizedTest
  @CsvSource({"F32", "BF16", "F64"})
  void whatIsNoNumberInAPageIsNotSeen(Dtype dtype) {
    var weights = new Weights(Device.CPU, dtype, 3);
    var model = new Gpt(SMALL, weights);
    try (var scope = Scope.withoutGradients(); var cache = KvCache.of(model, 1, 80, Long.MAX_VALUE)) {
      int place = cache.open();
      var nothing = torch.full(new long[] {40, 3 * 48}, new Scalar(Double.NaN), Device.CPU.options(dtype));
      var poison = cache.extend(List.of(new Span(place, 40)));
      for (int layer = 0; layer < 2; layer++) poison.attend(layer, nothing.clone());
      cache.release(place);
      var text = IntStream.range(0, 20).mapToLong(i -> i).toArray();
      var out = inRows(model, cache, List.of(text)).getFirst();
      assertThat(out.isfinite().all().item_bool()).isTrue();
    } finally {
      weights.close();
    }
  }
}
