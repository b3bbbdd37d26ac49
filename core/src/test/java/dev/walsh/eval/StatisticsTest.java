package dev.walsh.eval;

import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

final class StatisticsTest {
  @Test
  void theErrorOfAMeanIsTheSamples() {
    double[] values = {1, 0, 0, 1, 1};
    assertThat(Statistics.mean(values)).isEqualTo(0.6);
    // s² = (3·0.4² + 2·0.6²)/4 = 0.3
    assertThat(Statistics.standardError(values)).isCloseTo(Math.sqrt(0.3 / 5), within(1e-15));
    assertThat(Statistics.standardError(new double[] {1})).isNaN();
  }

  @Test
  void samplesArePooledWithoutWhatLiesBetweenThem() {
    double[] low = {0, 1, 0, 1};
    double[] high = {10, 11, 10, 11};
    // Six degrees of freedom, squares of 1 in each, eight values.
    assertThat(Statistics.pooledError(List.of(low, high))).isCloseTo(Math.sqrt(2.0 / 6 / 8), within(1e-15));
    assertThat(Statistics.pooledError(List.of(new double[] {1}, new double[] {2}))).isNaN();
  }

  @Test
  void theBootstrapAgreesWithTheDeltaMethod() {
    var random = new Random(4);
    double[] nats = IntStream.range(0, 2000).mapToDouble(_ -> -3 + random.nextGaussian()).toArray();
    double[] ones = IntStream.range(0, 2000).mapToDouble(_ -> 1).toArray();
    double wanted = Math.exp(-Statistics.mean(nats)) * Statistics.standardError(nats);
    double found = Statistics.bootstrapError(nats, ones, mean -> Math.exp(-mean));
    // The error of a deviation from 1000 samples is 2.2%.
    assertThat(found).isCloseTo(wanted, within(0.1 * wanted));
    assertThat(Statistics.bootstrapError(nats, ones, mean -> Math.exp(-mean))).isEqualTo(found);
  }

  @Test
  void unitsAreDrawnWithTheirValues() {
    double[] nats = {-1, -2, -3, -4};
    double[] bytes = {10, 20, 30, 40};
    assertThat(Statistics.bootstrapError(nats, bytes, mean -> mean)).isCloseTo(0, within(1e-15));
    assertThat(Statistics.bootstrapError(new double[] {-1}, new double[] {1}, mean -> mean)).isNaN();
  }
}
