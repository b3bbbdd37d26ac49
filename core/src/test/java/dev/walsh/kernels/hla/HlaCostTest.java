package dev.walsh.kernels.hla;

import dev.walsh.kernels.hla.FeatureMap.Softplus;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;

final class HlaCostTest {
  private static HlaCost cost(int factors, int rank, int width, boolean causal) {
    return new HlaCost(HlaSpec.of(12, width, causal, Collections.nCopies(factors, new Softplus(rank))));
  }

  @Test
  void theFormulasAreThoseOfTheReadme() {
    // F = 2, r = 32, D = 128, the video shape: 3.2% of softmax, whose two products take 4·N²·D a head.
    long n = 32_760;
    double softmax = 12.0 * 4 * n * n * 128;
    assertThat(cost(2, 32, 128, false).forward(Form.LINEAR, n) / softmax).isCloseTo(0.032, withPercentage(3));
    assertThat(cost(3, 8, 128, false).forward(Form.LINEAR, n) / softmax).isCloseTo(0.016, withPercentage(3));
    assertThat(cost(2, 32, 128, false).forward(Form.QUADRATIC, n)).isEqualTo(12.0 * n * n * (2 * 64 + 2 + 2 * 129));
    assertThat(cost(2, 32, 128, true).step()).isEqualTo(12.0 * (4 * 1024 * 129 + 2 * 1024));
  }

  @Test
  void theLinearFormBeginsWhereAllPairsCostMore() {
    for (var cost : List.of(cost(1, 64, 64, false), cost(2, 16, 128, false), cost(2, 32, 64, true), cost(3, 16, 128, true))) {
      long n = cost.crossover();
      assertThat(cost.choose(n)).isEqualTo(Form.QUADRATIC);
      assertThat(cost.choose(n + 1)).isNotEqualTo(Form.QUADRATIC);
    }
    // About R: a query then meets as many keys as the state has rows.
    assertThat((double) cost(2, 32, 128, false).crossover()).isBetween(1024.0, 1536.0);
    assertThat(cost(2, 32, 128, false).choose(0)).isEqualTo(Form.QUADRATIC);
  }

  @Test
  void costsGrowWithTheLengthAloneBeyondAChunk() {
    var cost = cost(2, 32, 64, true);
    assertThat(cost.chunk()).isIn(64L, 128L, 256L, 512L);
    assertThat(cost.forward(Form.CHUNKED, 65_536)).isCloseTo(16 * cost.forward(Form.CHUNKED, 4096), withPercentage(1e-6));
    assertThat(cost.backward(Form.CHUNKED, 65_536)).isCloseTo(16 * cost.backward(Form.CHUNKED, 4096), withPercentage(1e-6));
  }
}
