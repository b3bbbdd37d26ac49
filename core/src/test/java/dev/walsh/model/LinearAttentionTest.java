package dev.walsh.model;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.AttentionKind.Hadamard;
import dev.walsh.config.Json;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.ModelConfig.Query;
import dev.walsh.config.Projection;
import dev.walsh.config.UserError;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

/** Linear attentions as parts of a model. */
final class LinearAttentionTest {
  private static final ModelConfig SMALL = new ModelConfig(2, 12, 2, 20, 6, 61, Projection.named("hadamard"));

  static List<AttentionKind> kinds() {
    return LinearKinds.all();
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void gradientsAgreeWithFiniteDifferences(AttentionKind kind) {
    GptTest.checkGradients(SMALL.with(kind).withLayers(1), Kernels.FUSED);
  }

  @Test
  void soTheyDoBesideOtherQueriesAndProjections() {
    var config = SMALL.with(new Hadamard(2, 4)).with(Projection.named("dense")).with(Query.IDENTITY);
    GptTest.checkGradients(config, Kernels.FUSED);
    GptTest.checkGradients(config, Kernels.PLAIN);
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void thePartsCountThemselves(AttentionKind kind) {
    var weights = new Weights(Device.META, Dtype.F32, 0);
    var model = new Gpt(SMALL.with(kind), weights);
    assertThat(model.cost(6).parameters()).isEqualTo(weights.elements());
    assertThat(model.cost(6).forward()).isPositive().isFinite();
    weights.close();
  }

  /** As for softmax, the mix within a head can be moved into the values. */
  @ParameterizedTest
  @MethodSource("kinds")
  void aFoldedModelComputesTheSame(AttentionKind kind) {
    var config = SMALL.with(kind);
    var full = new Weights(Device.CPU, Dtype.F64, 3);
    var folded = new Weights(Device.CPU, Dtype.F64, 4);
    try (var scope = Scope.withoutGradients()) {
      var ids = KvCacheTest.ids(Device.CPU, new Random(5).longs(6, 0, 61).toArray()).unsqueeze(0);
      var expected = loud(new Gpt(config, full), full).hidden(ids);
      var folding = new Folding(config);
      var model = new Gpt(folding.folded(), folded);
      folded.load(folding.fold(full.masters()));
      assertThat(difference(model.hidden(ids), expected)).isLessThan(1e-10);
    } finally {
      full.close();
      folded.close();
    }
  }

  /** What comes later changes nothing, so this attention is causal. */
  @ParameterizedTest
  @MethodSource("kinds")
  void aTokenSeesNoneAfterIt(AttentionKind kind) {
    var weights = new Weights(Device.CPU, Dtype.F64, 3);
    try (var scope = Scope.withoutGradients()) {
      var model = loud(new Gpt(SMALL.with(kind), weights), weights);
      var one = model.hidden(KvCacheTest.ids(Device.CPU, 1, 2, 3, 4, 5, 6).unsqueeze(0)).narrow(1, 0, 4);
      var other = model.hidden(KvCacheTest.ids(Device.CPU, 1, 2, 3, 4, 50, 60).unsqueeze(0)).narrow(1, 0, 4);
      assertThat(difference(one, other)).isLessThan(1e-12);
    } finally {
      weights.close();
    }
  }

  private static Gpt loud(Gpt model, Weights weights) {
    // Initial weights hardly attend.
    for (var w : weights.all()) if (w.name().endsWith("qkv.weight")) w.value().mul_(new Scalar(8));
    return model;
  }

  private static double difference(Tensor one, Tensor other) {
    return one.sub(other).abs().max().item_double();
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void aFileSaysWhichItIs(AttentionKind kind) {
    var written = Json.LINE.writeValueAsString(SMALL.with(kind));
    assertThat(Json.LINE.readValue(written, ModelConfig.class)).isEqualTo(SMALL.with(kind));
    assertThat(SMALL.with(kind).attentionInWords()).startsWith("hadamard, ");
  }

  @Test
  void aFileOfBeforeMeansSoftmaxAndOneOfSoftmaxIsAsBefore() {
    var written = Json.LINE.writeValueAsString(SMALL);
    assertThat(written).doesNotContain("attention");
    assertThat(Json.LINE.readValue(written, ModelConfig.class).attention()).isEqualTo(new AttentionKind.Softmax());
    var brief = written.replace("\"query\"", "\"attention\": {\"kind\": \"hla\", \"factors\": 2, \"rank\": 16}, \"query\"");
    assertThat(Json.LINE.readValue(brief, ModelConfig.class).attention()).isEqualTo(new Hadamard(2, 16));
  }

  @Test
  void layersMayDiffer() {
    var some = new ModelConfig(4, 24, 4, 32, 80, 61, Projection.named("dense"));
    var kind = AttentionKind.named("hla:2x8*2/softmax*1/hla:1x8@map=exp*1");
    assertThat(kind.name()).isEqualTo("hla:2x8*2/softmax*1/hla:1x8@map=exp*1");
    assertThat(kind).hasToString("hla:2x8 in layers 0 to 1, softmax in layer 2, hla:1x8@map=exp in layer 3");
    var mixed = some.with(kind);
    assertThat(Json.LINE.readValue(Json.LINE.writeValueAsString(mixed), ModelConfig.class)).isEqualTo(mixed);
    assertThat(mixed.attention(2)).isEqualTo(new AttentionKind.Softmax());
    assertThat(mixed.softmaxLayers()).isEqualTo(1);
    assertThat(mixed.longest()).isEqualTo(80);
    assertThat(AttentionKind.named("softmax*3/softmax*1")).isEqualTo(new AttentionKind.Softmax());
    assertThatThrownBy(() -> some.withLayers(3).with(kind)).isInstanceOf(UserError.class)
        .hasMessageContaining("attention names 4 layers").hasMessageContaining("the model has 3");
    assertThatThrownBy(() -> AttentionKind.named("hla*2/dense*2")).isInstanceOf(UserError.class).hasMessageContaining("is unknown");
    assertThatThrownBy(() -> new AttentionKind.ByLayer(List.of(kind, new AttentionKind.Based()))).isInstanceOf(UserError.class)
        .hasMessageContaining("itself by layer");
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void aNameSaysWhichItIs(AttentionKind kind) {
    assertThat(AttentionKind.isName(kind.name())).isTrue();
    assertThat(AttentionKind.named(kind.name())).isEqualTo(kind);
  }

  @Test
  void whatCannotBeIsRefused() {
    assertThatThrownBy(() -> new Hadamard(4, 16)).isInstanceOf(UserError.class).hasMessageContaining("use 1 to 3");
    assertThatThrownBy(() -> new Hadamard(2, 0)).isInstanceOf(UserError.class).hasMessageContaining("must be positive");
    var nano = ModelConfig.parse("nano");
    assertThatThrownBy(() -> Gpt.parameters(nano.with(new Hadamard(3, 512)))).isInstanceOf(UserError.class)
        .hasMessageContaining("512 × 512 × 512").hasMessageContaining("bytes a head").hasMessageContaining("lower the ranks");
    var signed = new Hadamard(2, 8).with(AttentionKind.Map.AFFINE);
    assertThatThrownBy(() -> Gpt.parameters(nano.with(signed))).isInstanceOf(UserError.class).hasMessageContaining("can be negative")
        .hasMessageContaining("tie an even number of factors");
    assertThat(Gpt.parameters(nano.with(signed.with(AttentionKind.Tie.BOTH)))).isPositive();
  }
}
