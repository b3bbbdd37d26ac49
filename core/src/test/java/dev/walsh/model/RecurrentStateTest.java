package dev.walsh.model;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.AttentionKind.Hadamard;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.ModelConfig.Query;
import dev.walsh.config.Projection;
import dev.walsh.config.UserError;
import dev.walsh.model.DecodeState.Span;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Scalar;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

/** As {@link KvCacheTest}: one function at once, in chunks and token by token, whatever is remembered. */
final class RecurrentStateTest {
  private static final ModelConfig SMALL = new ModelConfig(1, 24, 4, 32, 80, 61, Projection.named("hadamard-folded"));

  static List<AttentionKind> kinds() {
    return LinearKinds.all();
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void chunksAndSingleTokensAreTheWholeForward(AttentionKind kind) {
    compare(SMALL.with(kind), Dtype.F64, 1e-9);
  }

  @ParameterizedTest
  @CsvSource({"F32,1e-3", "BF16,6e-2"})
  void soTheyAreInNarrowerTypes(Dtype dtype, double tolerance) {
    compare(SMALL.with(new Hadamard(2, 8)), dtype, tolerance);
  }

  @ParameterizedTest
  @ValueSource(strings = {"softmax*1/hla:2x4*1", "hla:2x4*2/softmax*1/based*1"})
  void soTheyAreWhereLayersDiffer(String name) {
    var kind = AttentionKind.named(name);
    var layers = ((AttentionKind.ByLayer) kind).layers();
    compare(new ModelConfig(layers.size(), 24, 4, 32, 80, 61, Projection.named("hadamard-folded"), Query.LEARNED, kind), Dtype.F64, 1e-9);
  }

  private static void compare(ModelConfig config, Dtype dtype, double tolerance) {
    var weights = new Weights(Device.CPU, dtype, 3);
    try (var scope = Scope.withoutGradients()) {
      var model = new Gpt(config, weights);
      // Initial weights hardly attend.
      for (var w : weights.all()) if (w.name().endsWith("qkv.weight")) w.value().mul_(new Scalar(4));
      var random = new Random(1);
      var texts = Arrays.stream(KvCacheTest.LENGTHS).mapToObj(n -> random.longs(n, 0, config.vocabulary()).toArray()).toList();
      var whole = texts.stream().map(ids -> model.hidden(KvCacheTest.ids(Device.CPU, ids).unsqueeze(0)).squeeze(0)).toList();
      try (var state = DecodeState.of(model, texts.size(), 400, Long.MAX_VALUE)) {
        assertThat(state).isInstanceOf(config.softmaxLayers() == 0 ? RecurrentState.class : MixedState.class);
        for (int chunk : new int[] {100, 7}) {
          KvCacheTest.assertClose("chunks of " + chunk, KvCacheTest.inChunks(model, state, texts, chunk), whole, tolerance);
          for (int place = 0; place < texts.size(); place++) state.release(place);
        }
        KvCacheTest.assertClose("rows", KvCacheTest.inRows(model, state, texts), whole, tolerance);
      }
    } finally {
      weights.close();
    }
  }

  @Test
  void memoryIsTheSameForAnyLengthAndKnownBeforehand() {
    var config = SMALL.with(new Hadamard(2, 4)).withLayers(2).withContext(1000);
    var weights = new Weights(Device.CPU, Dtype.F32, 3);
    try (var scope = Scope.withoutGradients()) {
      var model = new Gpt(config, weights);
      // Two layers of four heads with 16 rows of six values and a count.
      long bytes = 2L * 4 * 16 * 7 * 4;
      try (var state = DecodeState.of(model, 3, 12_000, 3 * bytes)) {
        assertThat(state.bytes()).isEqualTo(3 * bytes);
        assertThat(state.bytesInUse()).isZero();
        int place = state.open();
        assertThat(state.couldHold(1_000_000)).isTrue();
        for (int i = 0; i < 6; i++) {
          var ids = KvCacheTest.ids(Device.CPU, new Random(i).longs(1000, 0, 61).toArray());
          var hidden = model.hidden(ids, state.extend(List.of(new Span(place, 1000))));
          assertThat(hidden.isfinite().all().item_bool()).isTrue();
          assertThat(state.bytesInUse()).isEqualTo(bytes);
        }
        assertThat(state.length(place)).as("six contexts").isEqualTo(6000);
        assertThat(state.open()).isEqualTo(1);
        assertThat(state.open()).isEqualTo(2);
        assertThat(state.open()).isEqualTo(-1);
      }
      assertThatThrownBy(() -> DecodeState.of(model, 3, 12_000, 1000)).isInstanceOf(UserError.class)
          .hasMessage("The states of 3 sequences need 10,752 bytes, and 1,000 are available; ask for fewer sequences at once");
      assertThatThrownBy(() -> KvCache.of(model, 3, 12_000, Long.MAX_VALUE)).isInstanceOf(UserError.class)
          .hasMessageContaining("keeps no keys and values");
    } finally {
      weights.close();
    }
  }

  /** A millionth token is as far from the one before it as a second is, and so they attend alike. */
  @Test
  void positionsHaveNoLast() {
    var weights = new Weights(Device.CPU, Dtype.F32, 3);
    try (var scope = Scope.withoutGradients()) {
      var rope = new Gpt(SMALL.with(new Hadamard(2, 4)), weights).rope();
      var packed = KvCacheTest.ids(Device.CPU, new Random(1).longs(2 * 72, 0, 100).toArray()).view(1, 2, 72).to(Dtype.F32.scalarType());
      var near = rope.plain(packed, rope.angles(KvCacheTest.ids(Device.CPU, 1, 2)));
      var far = rope.plain(packed, rope.angles(KvCacheTest.ids(Device.CPU, 1_000_001, 1_000_002)));
      var expected = near.query().matmul(near.key().transpose(2, 3));
      var products = far.query().matmul(far.key().transpose(2, 3));
      assertThat(products.sub(expected).abs().max().item_double()).isLessThan(1e-6 * expected.abs().max().item_double());
      var table = rope.plain(packed);
      var computed = rope.plain(packed, rope.angles(KvCacheTest.ids(Device.CPU, 0, 1)));
      assertThat(computed.key().sub(table.key()).abs().max().item_double()).isLessThan(1e-5);
    } finally {
      weights.close();
    }
  }

  @Test
  void cosFormerKnowsItsContextAlone() {
    var weights = new Weights(Device.CPU, Dtype.F32, 3);
    try (var state = DecodeState.of(new Gpt(SMALL.with(new AttentionKind.CosFormer()), weights), 1, 0, Long.MAX_VALUE)) {
      assertThat(state.couldHold(80)).isTrue();
      assertThat(state.couldHold(81)).isFalse();
    } finally {
      weights.close();
    }
  }
}
