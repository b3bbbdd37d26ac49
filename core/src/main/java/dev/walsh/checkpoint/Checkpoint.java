package dev.walsh.checkpoint;

import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * A complete checkpoint on disk.
 *
 * @param step optimizer steps behind it
 * @param validationLoss nats a token on the validation data, empty where it was not measured
 * @param folder where its files are
 */
public record Checkpoint(long step, OptionalDouble validationLoss, Path folder) {
  /** The one of the lowest finite validation loss, the earliest of several; empty where none was validated. */
  public static Optional<Checkpoint> best(List<Checkpoint> checkpoints) {
    return checkpoints.stream().filter(checkpoint -> Double.isFinite(checkpoint.validationLoss.orElse(Double.NaN)))
        .min(Comparator.comparingDouble(checkpoint -> checkpoint.validationLoss.orElseThrow()));
  }
}
