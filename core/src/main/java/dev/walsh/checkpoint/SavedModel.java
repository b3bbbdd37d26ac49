package dev.walsh.checkpoint;

import dev.walsh.config.Projection.Mix;
import dev.walsh.config.UserError;
import dev.walsh.kernels.nn.Int8Matrix;
import dev.walsh.model.Folding;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import dev.walsh.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * A trained model on disk: one checkpoint of a run, every byte of it verified, ready to be loaded.
 *
 * @param folder of the checkpoint
 * @param state what the checkpoint says of itself
 */
public record SavedModel(Path folder, RunState state) {
  /**
   * Finds a model. It needs no lock: the run may still be in progress.
   *
   * @param path the folder of a run, or of a checkpoint
   * @param choice which checkpoint of the run
   * @param warnings receives a sentence about each damaged checkpoint that was passed over for an older one
   * @throws UserError where there is none, it is damaged, or this version cannot run it
   */
  public static SavedModel find(Path path, Choice choice, Consumer<String> warnings) {
    if (!Files.isDirectory(path)) {
      throw new UserError("There is no folder " + path + "; give the folder of a run, or of one of its checkpoints");
    }
    var folder = isCheckpoint(path) ? itself(path, choice) : ofRun(path, choice, warnings);
    return new SavedModel(folder, RunState.read(folder));
  }

  private static boolean isCheckpoint(Path path) {
    return Files.exists(path.resolve(Manifest.FILE)) || Files.exists(path.resolve(RunState.FILE));
  }

  private static Path itself(Path checkpoint, Choice choice) {
    if (!(choice instanceof Choice.Latest)) {
      throw new UserError(checkpoint + " is itself a checkpoint; leave --step out, or give the folder of its run");
    }
    Manifest.verify(checkpoint);
    return checkpoint;
  }

  private static Path ofRun(Path run, Choice choice, Consumer<String> warnings) {
    var store = new CheckpointStore(run, 1, warnings);
    var complete = store.list();
    if (complete.isEmpty()) {
      throw new UserError(
          run + " has no whole checkpoint; give the folder of a run of 'walsh train' or 'walsh compare' that has saved its first one");
    }
    var found = switch (choice) {
      case Choice.Latest() -> store.latest()
          .orElseThrow(() -> new UserError("No checkpoint of " + run + " is sound; restore one from a copy or train again"));
      case Choice.Best() -> Checkpoint.best(complete)
          .orElseThrow(() -> new UserError("No checkpoint of " + run + " has a validation loss; use --step latest or a number"));
      case Choice.Step(long step) -> complete.stream().filter(checkpoint -> checkpoint.step() == step).findFirst()
          .orElseThrow(() -> new UserError(run + " has no whole checkpoint of step " + step + "; it has those of "
              + complete.stream().map(checkpoint -> Long.toString(checkpoint.step())).collect(Collectors.joining(", "))));
    };
    if (!(choice instanceof Choice.Latest)) {
      Manifest.verify(found.folder());
    }
    return found.folder();
  }

  /** The one that the model was trained with. */
  public Tokenizer tokenizer() {
    return Tokenizer.of(state.tokenizer());
  }

  /** The weights, mapped and not read until touched; under their own names, in the precision of their masters. */
  Safetensors weights() {
    return Safetensors.open(folder.resolve(RunState.WEIGHTS));
  }

  /** Loads the model, to be run without gradients; a Hadamard projection is folded, which changes no more than rounding. */
  public Loaded load(Device device, Dtype dtype) {
    return load(device, dtype, false);
  }

  /** The same; {@code int8} stores its matrices in bytes, one scale for each output channel. */
  public Loaded load(Device device, Dtype dtype, boolean int8) {
    var weights = Weights.toBeLoaded(device, dtype);
    try (var saved = weights()) {
      var mix = state.model().projection().mix();
      boolean folds = mix.isHadamard() && mix != Mix.HADAMARD_FOLDED;
      var folding = folds ? new Folding(state.model()) : null;
      var model = new Gpt(folding == null ? state.model() : folding.folded(), weights);
      Weights.check(saved.tensors(), weights.masters(),
          "The tensors of " + folder.resolve(RunState.WEIGHTS) + " are not those of its " + RunState.FILE
              + ", so restore both from a copy");
      try (var scope = Scope.open()) {
        var tensors = folding == null ? saved.tensors() : folding.fold(saved.tensors());
        weights.load(tensors);
        if (int8) weights.store(tensors, Int8Matrix::pack);
      }
      return new Loaded(model, weights);
    } catch (RuntimeException error) {
      weights.close();
      throw error;
    }
  }

  /** A model in memory, with the weights that it reads. */
  public record Loaded(Gpt model, Weights weights) implements AutoCloseable {
    @Override
    public void close() {
      weights.close();
    }
  }
}
