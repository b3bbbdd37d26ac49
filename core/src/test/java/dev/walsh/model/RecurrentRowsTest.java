package dev.walsh.model;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.AttentionKind.Hadamard;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.model.DecodeState.Span;
import dev.walsh.tensor.CudaGraph;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/**
 * A fixed number of rows, all of which are computed whoever is in them: each text is the whole forward pass, operator by operator and as one
 * graph, though others enter and leave between steps and the next one is half read in the slot of a row without a sequence.
 */
final class RecurrentRowsTest {
  private static final ModelConfig SMALL = new ModelConfig(2, 24, 4, 32, 80, 61, Projection.named("hadamard-folded"));
  private static final int[] LENGTHS = {9, 30, 14, 41, 22, 33};
  /** One more than there are ever sequences in them. */
  private static final int ROWS = 4;

  static List<AttentionKind> kinds() {
    return LinearKinds.all();
  }

  static List<AttentionKind> kindsOfFixedRows() {
    return LinearKinds.all().stream().filter(kind -> !(kind instanceof AttentionKind.CosFormer)
        && !(kind instanceof Hadamard of && of.rope() == AttentionKind.Rope.AFTER)).toList();
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void textsComeAndGo(AttentionKind kind) {
    check(SMALL.with(kind), Device.CPU, Dtype.F64, false, 1e-9);
  }

  @ParameterizedTest
  @ValueSource(strings = {"softmax*1/hla:2x4*1", "hla:2x4*1/cosformer*1"})
  void soTheyDoWhereLayersDiffer(String name) {
    check(SMALL.with(AttentionKind.named(name)), Device.CPU, Dtype.F64, false, 1e-9);
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void soTheyDoOnTheGpu(AttentionKind kind) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    check(SMALL.with(kind), Device.CUDA, Dtype.F32, false, 1e-3);
  }

  @ParameterizedTest
  @MethodSource("kindsOfFixedRows")
  void soTheyDoAsAGraph(AttentionKind kind) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    check(SMALL.with(kind), Device.CUDA, Dtype.F32, true, 1e-3);
  }

  /** Of heads that the kernels of features and of whole tokens cover. */
  @ParameterizedTest
  @CsvSource({"hla:2x8,false", "hla:2x8,true", "hla:2x8@map=exp,false", "hla:2x8@map=exp,true", "hla:2x8@map=relu,true",
      "hla:2x8@rope=none,true",
      "hla:3x8,true", "hla:1x16,true", "based,true", "softmax*1/hla:2x8*1,true", "hla:2x8*1/based*1,true"})
  void soTheyDoInBfloat16(String name, boolean graph) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    check(new ModelConfig(2, 64, 4, 64, 80, 61, Projection.named("hadamard-folded")).with(AttentionKind.named(name)), Device.CUDA,
        Dtype.BF16, graph, 8e-2);
  }

  @Test
  void rowsAreFixedWhereNoLayerWeighsByPositions() {
    assertThat(hasFixedRows("hla:2x4")).isTrue();
    assertThat(hasFixedRows("based")).isTrue();
    assertThat(hasFixedRows("hla:2x4@map=taylor@rope=none")).isTrue();
    assertThat(hasFixedRows("softmax*1/hla:2x4*1")).isTrue();
    assertThat(hasFixedRows("hla:2x4@rope=after")).isFalse();
    assertThat(hasFixedRows("cosformer")).isFalse();
    assertThat(hasFixedRows("hla:2x4*1/cosformer*1")).isFalse();
  }

  private static boolean hasFixedRows(String name) {
    var weights = new Weights(Device.CPU, Dtype.F32, 3);
    try (var state = DecodeState.of(new Gpt(SMALL.with(AttentionKind.named(name)), weights), 1, 80, Long.MAX_VALUE)) {
      return state.hasFixedRows();
    } finally {
      weights.close();
    }
  }

  private static void check(ModelConfig config, Device device, Dtype dtype, boolean graph, double tolerance) {
    var weights = new Weights(device, dtype, 3);
    try (var scope = Scope.withoutGradients()) {
      var model = new Gpt(config, weights);
      // Initial weights hardly attend.
      for (var w : weights.all()) if (w.name().endsWith("qkv.weight")) w.value().mul_(new Scalar(4));
      try (var texts = new Texts(model, graph)) {
        texts.check(tolerance);
      }
    } finally {
      weights.close();
    }
  }

  /** Texts that pass through the rows. */
  private static final class Texts implements AutoCloseable {
    private final Gpt model;
    private final boolean graphs;
    private final List<long[]> texts = new ArrayList<>();
    private final List<Tensor> whole = new ArrayList<>();
    private final int[] placeOf = new int[LENGTHS.length];
    private final int[] read = new int[LENGTHS.length];
    private final DecodeState state;
    private final DecodeState.Rows rows;
    // Where a step reads tokens, and leaves what the model makes of them.
    private final Tensor ids;
    private final Tensor hidden;
    private @Nullable CudaGraph graph;
    private int steps;

    Texts(Gpt model, boolean graphs) {
      this.model = model;
      this.graphs = graphs;
      var random = new Random(1);
      for (int length : LENGTHS) {
        var text = random.longs(length, 0, model.config().vocabulary()).toArray();
        texts.add(text);
        whole.add(model.hidden(KvCacheTest.ids(model.device(), text).unsqueeze(0)).squeeze(0));
      }
      state = DecodeState.of(model, ROWS, 400, Long.MAX_VALUE);
      rows = state.rows();
      ids = KvCacheTest.ids(model.device(), new long[ROWS]);
      hidden = torch.zeros(new long[] {ROWS, model.config().width()}, model.device().options(model.dtype()));
    }

    void check(double tolerance) {
      var seated = new ArrayList<Integer>();
      int next = 0;
      begin(next);
      while (next < LENGTHS.length || !seated.isEmpty()) {
        if (next < LENGTHS.length && steps % 3 == 0 && seated.size() < ROWS - 1) {
          read(next, LENGTHS[next] / 2);
          assertThat(state.reserve(placeOf[next], LENGTHS[next])).isTrue();
          rows.enter(seated.size(), placeOf[next]);
          seated.add(next++);
          if (next < LENGTHS.length) begin(next);
        }
        var tokens = new long[ROWS];
        for (int row = 0; row < seated.size(); row++) tokens[row] = texts.get(seated.get(row))[read[seated.get(row)]];
        ids.copy_(KvCacheTest.ids(model.device(), tokens));
        step();
        assertThat(hidden.isfinite().all().item_bool()).as("numbers in all rows").isTrue();
        for (int row = 0; row < seated.size(); row++) assertIs(seated.get(row), row, tolerance);
        for (int row = seated.size() - 1; row >= 0; row--) if (read[seated.get(row)] == LENGTHS[seated.get(row)]) leave(row, seated);
      }
    }

    private void begin(int text) {
      placeOf[text] = state.open();
      read(text, LENGTHS[text] / 4);
    }

    private void read(int text, int to) {
      var part = Arrays.copyOfRange(texts.get(text), read[text], to);
      var unused = model.hidden(KvCacheTest.ids(model.device(), part), state.extend(List.of(new Span(placeOf[text], part.length))));
      read[text] = to;
    }

    private void assertIs(int text, int row, double tolerance) {
      var expected = whole.get(text).select(0, read[text]++);
      double error = hidden.select(0, row).sub(expected).abs().max().item_double();
      assertThat(error).as("token %d of text %d in row %d, step %d", read[text], text, row, steps)
          .isLessThan(tolerance * whole.get(text).abs().max().item_double());
    }

    private void leave(int row, List<Integer> seated) {
      int last = seated.size() - 1;
      rows.leave(row);
      if (row < last) rows.move(last, row);
      state.release(placeOf[seated.get(row)]);
      seated.set(row, seated.get(last));
      seated.remove(last);
    }

    private void step() {
      if (graphs && steps == 0) {
        CudaGraph.warmUp(this::work);
      } else if (graphs) {
        if (graph == null) graph = CudaGraph.capture(this::work);
        graph.replay();
      } else {
        work();
      }
      steps++;
    }

    private void work() {
      try (var scope = Scope.withoutGradients()) {
        hidden.copy_(model.hidden(ids, rows.pass(ROWS)));
        rows.advance(ROWS);
      }
    }

    @Override
    public void close() {
      if (graph != null) graph.close();
      rows.close();
      state.close();
    }
  }
}
