package dev.walsh.train;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.TrainConfig;
import dev.walsh.data.Loader;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Ranks;
import java.util.Arrays;

/** How long a training step takes here: some steps of a model that is thrown away. */
public final class Calibration {
  private static final int WARM_UP = 3;
  private static final int STEPS = 7;

  private Calibration() {}

  /** The median seconds of a step that ranks share. */
  public static double secondsPerStep(ModelConfig model, TrainConfig training, Loader loader, Device device, Dtype dtype,
      Execution execution,
      Ranks ranks) {
    try (var trainer = new Trainer(model, training, loader, device, dtype, execution, ranks)) {
      for (int i = 0; i < WARM_UP; i++) trainer.step();
      var seconds = new double[STEPS];
      for (int i = 0; i < STEPS; i++) seconds[i] = trainer.step().seconds();
      Arrays.sort(seconds);
      return seconds[STEPS / 2];
    }
  }

  /** The tokens, in whole steps, that training for {@code seconds} sees. */
  public static long tokens(double seconds, double secondsPerStep, int batchTokens) {
    return Math.max(1, Math.round(seconds / secondsPerStep)) * batchTokens;
  }
}
