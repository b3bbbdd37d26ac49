package dev.walsh.checkpoint;

import java.nio.file.Path;
import java.util.OptionalDouble;

/**
 * A complete checkpoint on disk.
 *
 * @param step optimizer steps behind it
 * @param validationLoss nats a token on the validation data, empty where it was not measured
 * @param folder where its files are
 */
public record Checkpoint(long step, OptionalDouble validationLoss, Path folder) {}
