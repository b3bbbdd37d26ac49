package dev.walsh.measure;

import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

final class PairedRatioTest {
  private static double[] upTo(int n) {
    return DoubleStream.iterate(1, x -> x + 1).limit(n).toArray();
  }

  private static double[] ones(int n) {
    return DoubleStream.generate(() -> 1).limit(n).toArray();
  }

  /** The ranks of the table for 95%: none of 5, 1 and 6 of 6, 2 and 10 of 11, 6 and 15 of 20. */
  @Test
  void theIntervalIsThatOfTheOrderStatistics() {
    assertThat(PairedRatio.of(upTo(5), ones(5)).low()).isNaN();
    assertThat(PairedRatio.of(upTo(6), ones(6))).isEqualTo(new PairedRatio(3.5, 1, 6));
    assertThat(PairedRatio.of(upTo(11), ones(11))).isEqualTo(new PairedRatio(6, 2, 10));
    assertThat(PairedRatio.of(upTo(20), ones(20))).isEqualTo(new PairedRatio(10.5, 6, 15));
  }
}
