package dev.walsh.checkpoint;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.TrainConfig;
import dev.walsh.kernels.wht.HadamardFactors;
import org.jspecify.annotations.Nullable;

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
}
