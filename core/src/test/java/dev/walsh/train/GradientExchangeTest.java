package dev.walsh.train;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Ranks;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Together;
import dev.walsh.tensor.Weights;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class GradientExchangeTest {
  private static final int WEIGHTS = 7;

  private static Weights weights(Dtype dtype) {
    var weights = new Weights(Device.CPU, dtype, 0);
    for (int i = 0; i < WEIGHTS; i++) {
      var unused = weights.at("w").constant("" + i, 1, 3, 5 + i);
    }
    return weights;
  }

  /** Whose gradient at weight i is {@code factor · (i + 1)} everywhere; it uses the last made first, as little as a model does. */
  private static Tensor loss(Weights weights, double factor) {
    var loss = torch.zeros(1);
    int i = 0;
    for (var weight : weights.all()) loss = loss.add(weight.value().sum().mul(new Scalar(factor * ++i)));
    return loss;
  }

  /** The first element of the gradient of each weight, after two steps of so many passes. */
  private static List<Double> gradients(Ranks ranks, Dtype dtype, int passes, long bucketBytes) {
    var weights = weights(dtype);
    try (var exchange = new GradientExchange(weights, ranks, passes, bucketBytes)) {
      for (int step = 0; step < 2; step++) {
        exchange.begin();
        for (int pass = 0; pass < passes; pass++) {
          try (var scope = Scope.open()) {
            exchange.backward(loss(weights, 1 + ranks.rank() + 10 * pass));
          }
        }
      }
      var found = new ArrayList<Double>();
      for (var gradient : exchange.gradients()) found.add(Memory.doubles(gradient.view(-1))[0]);
      assertThat(weights.all()).allMatch(w -> !w.value().grad().defined());
      return found;
    } finally {
      weights.close();
    }
  }

  @ParameterizedTest
  @CsvSource({"F32,1,1", "F32,3,100", "BF16,2,150", "F64,1,1000000"})
  void addsUpPassesAndRanksWhateverTheBuckets(Dtype dtype, int passes, long bucketBytes) {
    double factor = 0;
    for (int pass = 0; pass < passes; pass++) factor += 1 + 2 + 20 * pass;
    var wanted = new ArrayList<Double>();
    for (int i = 1; i <= WEIGHTS; i++) wanted.add(i * factor);
    assertThat(Together.run(2, ranks -> gradients(ranks, dtype, passes, bucketBytes))).containsExactly(wanted, wanted);
  }

  @Test
  void aWeightWithoutAGradientIsNamed() {
    assertThatThrownBy(() -> Together.run(2, ranks -> {
      var weights = weights(Dtype.F32);
      try (var scope = Scope.open(); var exchange = new GradientExchange(weights, ranks, 1, 1)) {
        exchange.begin();
        exchange.backward(weights.all().getLast().value().sum());
        return 0;
      }
    })).hasMessageContaining("no gradient").hasMessageContaining("w.5");
  }
}
