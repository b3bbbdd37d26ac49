package dev.walsh.kernels.hla;

import dev.walsh.config.UserError;
import dev.walsh.kernels.hla.FeatureMap.Affine;
import dev.walsh.kernels.hla.FeatureMap.Softplus;
import dev.walsh.kernels.hla.FeatureMap.Taylor;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class HlaSpecTest {
  private static HlaSpec spec(FeatureMap map, int factors) {
    return HlaSpec.of(12, 128, true, Collections.nCopies(factors, map));
  }

  @Test
  void aStateThatDoesNotFitSaysItsBytes() {
    assertThatThrownBy(() -> spec(new Softplus(64), 3)).isInstanceOf(UserError.class).hasMessage(
        "factors of 64 × 64 × 64 features keep a state of 135,266,304 bytes a head, more than the 67,108,864 allowed; lower the ranks, tie the "
            + "factors or use fewer of them");
    assertThatThrownBy(() -> spec(new Softplus(2_000_000_000), 3)).isInstanceOf(UserError.class).hasMessageContaining("bytes a head");
    assertThat(HlaSpec.of(12, 128, true, List.of(new Softplus(32), new Softplus(32))).stateBytes()).isEqualTo(1024 * 129 * 4);
    assertThat(spec(new Softplus(32), 2).tied(true, true).stateBytes()).isEqualTo(528 * 129 * 4);
  }

  @Test
  void aDenominatorThatCanBeNegativeIsRefused() {
    assertThatThrownBy(() -> spec(new Affine(8), 2)).isInstanceOf(UserError.class)
        .hasMessage("the similarities of Affine[channels=8] can be negative, and so can the denominator of 2 untied factors; tie an even "
            + "number of factors on queries and keys, normalise by RMS or use another feature map");
    assertThatThrownBy(() -> new HlaSpec(2, 8, Collections.nCopies(3, new Affine(8)), true, true, false, Normalizer.SUM, Rotation.NONE,
        Modulation.FEATURES)).hasMessageContaining("3 tied factors");
    assertThat(new HlaSpec(2, 8, Collections.nCopies(2, new Affine(8)), true, true, false, Normalizer.SUM, Rotation.NONE,
        Modulation.FEATURES).stateEntries()).isEqualTo(45);
    assertThat(spec(new Taylor(8), 3 - 1).stateEntries()).isEqualTo(45 * 45);
  }

  @Test
  void otherMistakesNameTheirFix() {
    assertThatThrownBy(() -> spec(new Softplus(4), 0)).hasMessage("0 factors: Hadamard linear attention takes 1 to 3");
    assertThatThrownBy(() -> spec(new Softplus(1), 4)).hasMessageStartingWith("4 factors");
    assertThatThrownBy(() -> new Softplus(0)).hasMessage("the rank of a feature map is 0; it must be positive");
    assertThatThrownBy(() -> new FeatureMap.Relu(4, 0)).hasMessageContaining("must be positive, such as 0.001");
    assertThatThrownBy(() -> HlaSpec.of(2, 8, true, List.of(new Softplus(4), new Softplus(5))).tied(true, false))
        .isInstanceOf(UserError.class).hasMessageContaining("give all the same or untie them");
    assertThatThrownBy(() -> HlaSpec.of(2, 8, true, List.of(new Softplus(5))).with(Rotation.AFTER)).isInstanceOf(UserError.class)
        .hasMessage("Softplus[rank=5] makes 5 features, but RoPE rotates pairs of them; make their number even or rotate before the map");
    assertThatThrownBy(() -> HlaSpec.of(2, 4, true, Collections.nCopies(3, new Softplus(4)))).isInstanceOf(UserError.class)
        .hasMessageContaining("use wider heads or fewer factors");
    assertThatThrownBy(() -> HlaSpec.of(0, 4, true, List.of(new Softplus(4)))).isInstanceOf(UserError.class);
  }

  @Test
  void controlsHaveTheStatesOfTheirPapers() {
    assertThat(HlaSpec.katharopoulos(12, 64, true).stateEntries()).isEqualTo(64);
    assertThat(HlaSpec.cosFormer(12, 64, true, 1024).stateEntries()).isEqualTo(128);
    assertThat(HlaSpec.based(12, 64, true).stateEntries()).isEqualTo(153);
  }
}
