package dev.walsh.generate;

import dev.walsh.config.UserError;
import java.util.Arrays;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

final class SamplerTest {
  @Provide
  Arbitrary<float[]> logits() {
    return Arbitraries.floats().between(-5, 5).array(float[].class).ofMinSize(1).ofMaxSize(40);
  }

  @Property
  void temperatureZeroAndTopOneTakeTheFirstOfTheLargest(
      @ForAll("logits") float[] logits, @ForAll long seed) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      if (logits[i] > logits[best]) best = i;
    }
    assertThat(new Sampler(0, 0, 1, seed).sample(logits, logits.length)).isEqualTo(best);
    assertThat(new Sampler(1.5, 1, 1, seed).sample(logits, logits.length)).isEqualTo(best);
    assertThat(new Sampler(1.5, 0, Double.MIN_VALUE, seed).sample(logits, logits.length)).isEqualTo(best);
  }

  @Property
  void topKChoosesAmongTheKLikeliest(@ForAll("logits") float[] logits,
      @ForAll @IntRange(min = 1, max = 50) int k, @ForAll long seed) {
    int chosen = new Sampler(2, k, 1, seed).sample(logits, logits.length);
    assertThat(before(logits, chosen)).isLessThan(k);
  }

  /** How many ids stand before one: of larger logits, or of the same and lower. */
  private static int before(float[] logits, int id) {
    int before = 0;
    for (int i = 0; i < logits.length; i++) {
      if (logits[i] > logits[id] || logits[i] == logits[id] && i < id) before++;
    }
    return before;
  }

  @Property
  void topPChoosesWhereTheLikelierDoNotHoldPAlready(@ForAll("logits") float[] logits,
      @ForAll @DoubleRange(min = 0.01, max = 1) double p, @ForAll @DoubleRange(min = 0.1, max = 4) double temperature, @ForAll long seed) {
    int chosen = new Sampler(temperature, 0, p, seed).sample(logits, logits.length);
    double total = 0;
    double likelier = 0;
    for (int i = 0; i < logits.length; i++) {
      double weight = Math.exp(logits[i] / temperature);
      total += weight;
      if (logits[i] > logits[chosen] || logits[i] == logits[chosen] && i < chosen) likelier += weight;
    }
    assertThat(likelier / total).isLessThan(p + 1e-9);
  }

  @Property
  void theSeedDecides(@ForAll("logits") float[] logits, @ForAll long seed) {
    assertThat(choices(logits, seed)).isEqualTo(choices(logits, seed));
  }

  private static int[] choices(float[] logits, long seed) {
    var sampler = new Sampler(1, 0, 0.99, seed);
    var choices = new int[64];
    Arrays.setAll(choices, _ -> sampler.sample(logits, logits.length));
    return choices;
  }

  @Property(tries = 200)
  void onlyPossibleTokensAreChosenWhateverTheLogits(@ForAll @Size(min = 1, max = 40) float[] logits,
      @ForAll @IntRange(min = -320, max = 308) int magnitude, @ForAll @IntRange(min = 0, max = 50) int k,
      @ForAll @DoubleRange(min = 0.01, max = 1) double p, @ForAll long seed) {
    var padded = Arrays.copyOf(logits, logits.length + 3);
    Arrays.fill(padded, logits.length, padded.length, Float.NaN);
    assertThat(new Sampler(Math.pow(10, magnitude), k, p, seed).sample(padded, logits.length)).isBetween(0, logits.length - 1);
  }

  @Test
  void anotherSeedMakesOtherChoices() {
    assertThat(choices(new float[20], 1)).isNotEqualTo(choices(new float[20], 2));
  }

  @Test
  void choicesFollowTheProbabilities() {
    float[] logits = {0, (float) Math.log(2), Float.NEGATIVE_INFINITY, (float) Math.log(5), 99};
    double[] wanted = {1 / 8.0, 2 / 8.0, 0, 5 / 8.0, 0};
    assertShares(new Sampler(1, 0, 1, 3), logits, wanted);
    assertShares(new Sampler(1, 2, 1, 3), logits, new double[] {0, 2 / 7.0, 0, 5 / 7.0, 0});
    assertShares(new Sampler(1, 0, 0.8, 3), logits, new double[] {0, 2 / 7.0, 0, 5 / 7.0, 0});
    assertShares(new Sampler(0.5, 0, 1, 3), logits, new double[] {1 / 30.0, 4 / 30.0, 0, 25 / 30.0, 0});
  }

  private static void assertShares(Sampler sampler, float[] logits, double[] wanted) {
    int draws = 40_000;
    var counts = new double[logits.length];
    for (int i = 0; i < draws; i++) counts[sampler.sample(logits, 4)] += 1.0 / draws;
    assertThat(counts).containsExactly(wanted, offset(0.01));
  }

  @Test
  void logitsThatAreNoNumbersAreRefused() {
    for (var bad : new float[][] {{1, Float.NaN}, {Float.POSITIVE_INFINITY, 1}, {Float.NEGATIVE_INFINITY, Float.NEGATIVE_INFINITY}}) {
      for (double temperature : new double[] {0, 1}) {
        assertThatThrownBy(() -> new Sampler(temperature, 0, 1, 0).sample(bad, 2)).isInstanceOf(UserError.class)
            .hasMessageContaining("not finite numbers").hasMessageContaining("choose an earlier checkpoint");
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"-0.1,0,1,--temperature is -0.1", "NaN,0,1,--temperature is NaN", "Infinity,0,1,--temperature is Infinity",
      "1,-1,1,--top-k is -1", "1,0,0,--top-p is 0.0", "1,0,1.01,--top-p is 1.01", "1,0,NaN,--top-p is NaN"})
  void settingsOutOfRangeAreRefused(double temperature, int topK, double topP, String said) {
    assertThatThrownBy(() -> new Sampler(temperature, topK, topP, 0)).isInstanceOf(UserError.class).hasMessageStartingWith(said);
  }
}
