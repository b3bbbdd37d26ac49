package dev.walsh.study;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.ModelConfig.Query;
import dev.walsh.config.Projection;
import dev.walsh.config.UserError;
import dev.walsh.model.Gpt;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

/** What each name makes of a model, by formulas of its own: d = 512, eight layers, an MLP of 1408, 50,304 rows of the embedding. */
final class ArmTest {
  private static final long D = 512;
  private static final long LAYERS = 8;
  private static final long HIDDEN = 1408;
  private static final ModelConfig BASE = new ModelConfig(8, 512, 8, 1408, 1024, 50_257, Projection.named("dense"));

  /** Embedding, gains of all norms, W_Q, W_K, W_V and the MLP; {@code attention} is what a layer's attention has beside these three. */
  private static long parameters(long layers, long hidden, long attention) {
    return 50_304 * D + D + layers * (3 * D * D + attention + 3 * D * hidden + 2 * D);
  }

  private static long parameters(String arm) {
    return Gpt.parameters(Arm.named(BASE, arm).model());
  }

  @Test
  void parametersAreThoseOfTheFormulas() {
    assertThat(parameters("dense")).isEqualTo(parameters(LAYERS, HIDDEN, D * D));
    for (var fixed : new String[] {"hadamard", "hadamard-folded", "identity", "signed-hadamard", "random-orthogonal", "padded-hadamard",
        "hadamard@alpha=1"}) {
      assertThat(parameters(fixed)).as(fixed).isEqualTo(parameters(LAYERS, HIDDEN, 2 * D));
    }
    assertThat(parameters("hadamard-beta")).isEqualTo(parameters(LAYERS, HIDDEN, D));
    assertThat(parameters("random-orthogonal-alpha")).isEqualTo(parameters(LAYERS, HIDDEN, D));
    assertThat(parameters("hadamard-alpha-beta")).isEqualTo(parameters(LAYERS, HIDDEN, 0));
    assertThat(parameters("block-diagonal")).isEqualTo(parameters(LAYERS, HIDDEN, D * D / 4));
    assertThat(parameters("block-diagonal:2")).isEqualTo(parameters(LAYERS, HIDDEN, D * D / 2));
    assertThat(parameters("low-rank")).isEqualTo(parameters(LAYERS, HIDDEN, D * D / 4));
    assertThat(parameters("low-rank:16")).isEqualTo(parameters(LAYERS, HIDDEN, 2 * 16 * D));
    assertThat(parameters("identity-query")).isEqualTo(parameters(LAYERS, HIDDEN, 0));
  }

  /** d² − 2d parameters a layer are (d − 2)/3 channels of 3d each: 170, and 168 is the nearest multiple of eight. */
  @Test
  void whatIsFreedIsSpent() {
    var wider = Arm.named(BASE, "reinvest-width").model();
    assertThat(wider).isEqualTo(BASE.withHidden(1576).with(Projection.named("hadamard")));
    assertThat(parameters("dense") - Gpt.parameters(wider)).isEqualTo(LAYERS * (D * D - 2 * D - 168 * 3 * D));
    var smaller = Arm.named(BASE, "dense-small").model();
    assertThat(smaller).isEqualTo(BASE.withHidden(1240));
    assertThat(Math.abs(Gpt.parameters(smaller) - parameters("hadamard"))).isLessThanOrEqualTo(LAYERS * 4 * 3 * D);
  }

  @Test
  void aNinthLayerIsNearest() {
    var deeper = Arm.named(BASE, "reinvest-depth").model();
    assertThat(deeper).isEqualTo(BASE.withLayers(9).with(Projection.named("hadamard")));
    long dense = parameters(LAYERS, HIDDEN, D * D);
    assertThat(Gpt.parameters(deeper)).isEqualTo(parameters(9, HIDDEN, 2 * D));
    assertThat(Math.abs(parameters(9, HIDDEN, 2 * D) - dense)).isLessThan(Math.abs(parameters(8, HIDDEN, 2 * D) - dense))
        .isLessThan(Math.abs(parameters(10, HIDDEN, 2 * D) - dense));
  }

  @Test
  void everyNameMakesAModelOfItsOwn() {
    var models = Arm.names().stream().map(name -> Arm.named(BASE, name)).toList();
    assertThat(models).extracting(Arm::name).isEqualTo(Arm.names().stream().map(name -> name.equals("hla") ? "hla:2x16" : name).toList());
    assertThat(models).extracting(Arm::model).doesNotHaveDuplicates();
    assertThat(models).extracting(Arm::folder).doesNotHaveDuplicates().allMatch(folder -> folder.matches("[a-z-]+|hla-2x16"));
    assertThat(Arm.named(BASE, "identity-query").model()).isEqualTo(BASE.with(Query.IDENTITY));
    assertThat(Arm.named(BASE, "low-rank:64").folder()).isEqualTo("low-rank-64");
  }

  @Test
  void attentionsAreArmsAloneAndBesideAProjection() {
    var hla = new AttentionKind.Hadamard(2, 8);
    assertThat(Arm.named(BASE, "hla:2x8")).isEqualTo(new Arm("hla:2x8", BASE.with(hla)));
    assertThat(Arm.named(BASE, "hadamard+hla:2x8"))
        .isEqualTo(new Arm("hadamard+hla:2x8", BASE.with(hla).with(Projection.named("hadamard"))));
    assertThat(Arm.named(BASE, "dense+alpha+based").model())
        .isEqualTo(BASE.with(new AttentionKind.Based()).with(Projection.named("dense+alpha")));
    assertThat(Arm.named(BASE, "dense-small+cosformer").name()).isEqualTo("dense-small+cosformer");
    assertThat(Arm.named(BASE, "dense+katharopoulos").name()).as("the shortest name").isEqualTo("katharopoulos");
    assertThat(Arm.named(BASE, "softmax")).isEqualTo(Arm.named(BASE, "dense"));
    assertThat(Arm.named(BASE, "hadamard+softmax")).isEqualTo(Arm.named(BASE, "hadamard"));
  }

  /** What a model's file says of attention stays, unless an arm says otherwise. */
  @Test
  void aShapeOfLinearAttentionKeepsIt() {
    var linear = BASE.with(new AttentionKind.Based());
    assertThat(Arm.named(linear, "hadamard")).isEqualTo(new Arm("hadamard", linear.with(Projection.named("hadamard"))));
    assertThat(Arm.named(linear, "softmax")).isEqualTo(new Arm("softmax", BASE));
  }

  @Test
  void theBaselineComesFirstAndNoArmTwice() {
    assertThat(Arm.of(BASE, List.of("hla", "softmax", "based"))).extracting(Arm::name).containsExactly("dense", "hla:2x16", "based");
    assertThatThrownBy(() -> Arm.of(BASE, List.of("hla", "hla:2x16"))).isInstanceOf(UserError.class).hasMessageContaining("twice");
  }

  /** The base's own projection and the order in which arms are made do not matter. */
  @ParameterizedTest
  @ValueSource(strings = {"dense", "reinvest-width", "reinvest-depth", "dense-small", "identity-query"})
  void armsOfAnArmAreArmsOfItsBase(String name) {
    assertThat(Arm.named(BASE.with(Projection.named("hadamard")), name)).isEqualTo(Arm.named(BASE, name));
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "fourier|8|512|8|the arm 'fourier' is unknown; use one of dense, hadamard, hadamard-folded, identity, signed-hadamard, "
          + "random-orthogonal, padded-hadamard, block-diagonal, low-rank, identity-query, reinvest-width, reinvest-depth, dense-small, hla, "
          + "katharopoulos, cosformer, based; ",
      "hadamard|8|52|2|There is no Hadamard matrix of order 52 here: use 48 or 56.",
      "signed-hadamard|8|52|2|There is no Hadamard matrix of order 52 here",
      "reinvest-width|8|52|2|There is no Hadamard matrix of order 52",
      "block-diagonal|8|384|6|do not divide the 6 heads; use a number of blocks that does, such as block-diagonal:3",
      "low-rank:600|8|512|8|greater than the width of 512", "reinvest-depth|4|256|4|less than half of another; use a deeper model",
      "hla:4x8|8|512|8|of 4 factors is unknown; use 1 to 3", "hla:3x512|8|512|8|more than the 67,108,864 allowed; lower the ranks",
      "hla:2x8@map=affine|8|512|8|tie an even number of factors", "hadamard+hla:2|8|512|8|the arm 'hadamard+hla:2' is unknown",
      "dense-small|8|512|8|would leave the MLP of width 64 nothing"})
  void mistakesSayWhatToDo(String name, int layers, int width, int heads, String said) {
    int hidden = name.equals("dense-small") ? 64 : ModelConfig.defaultHidden(width);
    var base = new ModelConfig(layers, width, heads, hidden, 64, 257, Projection.named("dense"));
    assertThatThrownBy(() -> Arm.named(base, name)).isInstanceOf(UserError.class).hasMessageContaining(said);
  }

  @Test
  void widthsWithoutAHadamardMatrixTakeTheOthers() {
    var base = new ModelConfig(8, 52, 2, 64, 64, 257, Projection.named("dense"));
    for (var name : new String[] {"identity", "random-orthogonal", "padded-hadamard", "block-diagonal:2", "low-rank", "identity-query"}) {
      assertThat(Gpt.parameters(Arm.named(base, name).model())).as(name).isPositive();
    }
  }
}
