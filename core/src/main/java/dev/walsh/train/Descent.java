package dev.walsh.train;

import dev.walsh.config.TrainConfig;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights.Weight;
import java.util.Collection;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;

/** Some weights, moved down a loss of the caller's own by AdamW, under a recipe's schedule. */
public final class Descent implements AutoCloseable {
  private final Schedule schedule;
  private final AdamW optimizer;
  private long step;

  /** @param weights to be moved, on {@code device}; each has a part in every loss */
  public Descent(Collection<Weight> weights, Device device, TrainConfig recipe) {
    schedule = new Schedule(recipe);
    optimizer = new AdamW(weights, device, recipe, 1);
  }

  /**
   * One step; weights stay as they were where the gradient is not finite.
   *
   * @param loss makes a scalar, with gradients
   * @return the loss before the step; waits for the device
   */
  public double step(Supplier<Tensor> loss) {
    optimizer.setLearningRate(schedule.learningRate(step++));
    try (var scope = Scope.open()) {
      var value = loss.get();
      value.backward();
      optimizer.accumulate();
      optimizer.step();
      return Memory.doubles(value.detach())[0];
    }
  }

  @Override
  public void close() {
    optimizer.close();
  }
}
