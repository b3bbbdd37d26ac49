package dev.walsh.checkpoint;

import dev.walsh.config.Json;
import dev.walsh.config.JsonMistake;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.TrainConfig;
import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import dev.walsh.kernels.wht.HadamardFactors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/**
 * What a checkpoint says of itself beside its tensors, in {@code state.json}.
 *
 * <p>Nothing random happens in training but the order of the data, which the seed and the position determine; so these are all the state
 * of random generators there is.
 *
 * @param version of this format
 * @param model the shape of the model
 * @param training the recipe
 * @param tokenizer the name of the tokenizer, so that text is sampled with the one that it was trained on
 * @param dtype the dtype that the model computes in
 * @param threads of the CPU; results in bf16 depend on their number
 * @param step optimizer steps taken
 * @param position windows of the training data read
 * @param seconds spent in training steps
 * @param hadamard the factors of the output projection's matrix, where it has one
 */
public record RunState(int version, ModelConfig model, TrainConfig training, String tokenizer, String dtype, int threads, long step,
    long position, double seconds, @Nullable HadamardFactors hadamard) {
  public static final int VERSION = 1;
  /** The file of this record in a checkpoint. */
  public static final String FILE = "state.json";
  /** The file of the weights, in their masters' precision. */
  public static final String WEIGHTS = "model.safetensors";
  /** The file of the optimizer's moments. */
  public static final String OPTIMIZER = "optimizer.safetensors";

  /** Jackson passes null where a field is missing. */
  public RunState {
    Objects.requireNonNull(model, "model");
    Objects.requireNonNull(training, "training");
    Objects.requireNonNull(tokenizer, "tokenizer");
    Objects.requireNonNull(dtype, "dtype");
  }

  /**
   * Reads what a checkpoint's folder says of itself.
   *
   * @throws UserError where it says nothing, was written by another version, or means another Hadamard matrix than this build computes
   */
  public static RunState read(Path checkpoint) {
    var file = checkpoint.resolve(FILE);
    try {
      var state = Json.PRETTY.readValue(Files.readAllBytes(file), RunState.class);
      if (state.version != VERSION) {
        throw new UserError(
            file + " is of format " + state.version + " and this walsh reads format " + VERSION + "; use the version that wrote it");
      }
      state.requireTheSameMatrix(file);
      return state;
    } catch (IOException error) {
      throw new UserError("Cannot read " + file + " (" + Disk.reason(error) + "); give the folder of a whole checkpoint", error);
    } catch (JacksonException error) {
      throw new UserError(file + " was written by another version of walsh or altered since (" + JsonMistake.of(error)
          + "); use the version that wrote it, or restore the file", error);
    }
  }

  /** The convention of H_d is frozen; a model that was trained with another matrix would run, and be wrong in silence. */
  private void requireTheSameMatrix(Path file) {
    var computed = HadamardFactors.of(model);
    if (!Objects.equals(computed, hadamard)) {
      throw new UserError(file + " records the output projection's H_d as " + explain(hadamard) + ", but here it is " + explain(computed)
          + ", which would change the model; use the version of walsh that wrote it");
    }
  }

  private static String explain(@Nullable HadamardFactors factors) {
    return factors == null ? "none" : factors.explain();
  }
}
