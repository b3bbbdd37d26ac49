package dev.walsh.checkpoint;

import dev.walsh.config.Json;
import dev.walsh.config.Projection;
import dev.walsh.config.UserError;
import dev.walsh.model.Folding;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import dev.walsh.train.TinyRun;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

final class SavedModelTest {
  @TempDir
  static Path shared;
  private static Path trained;

  @TempDir
  Path temp;
  private final List<String> warnings = new ArrayList<>();
  private Path run;

  @BeforeAll
  static void train() {
    trained = TinyRun.train(shared, "run", Projection.named("hadamard"));
  }

  @BeforeEach
  void copy() throws IOException {
    run = TinyRun.copy(trained, temp.resolve("run"));
  }

  private SavedModel find(String choice) {
    return SavedModel.find(run, Choice.parse(choice), warnings::add);
  }

  private void assertRefused(Path path, String choice, String... said) {
    assertThatThrownBy(() -> SavedModel.find(path, Choice.parse(choice), warnings::add)).isInstanceOf(UserError.class)
        .hasMessageContainingAll(said);
  }

  @Test
  void theCheckpointThatIsAskedForIsFound() {
    assertThat(find("latest").state().step()).isEqualTo(6);
    assertThat(find("4").folder()).isEqualTo(run.resolve("step-00000004"));
    var best = Checkpoint.best(new CheckpointStore(run, 1, warnings::add).list()).orElseThrow();
    assertThat(find("best").folder()).isEqualTo(best.folder());
    assertThat(SavedModel.find(run.resolve("step-00000002"), new Choice.Latest(), warnings::add).state().step()).isEqualTo(2);
    assertThat(find("latest").tokenizer().name()).isEqualTo("bytes");
    assertThat(warnings).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"F32", "BF16", "F64"})
  void theWeightsAreLoadedAsTheyWereSaved(Dtype dtype) {
    var model = find("latest");
    try (var loaded = model.load(Device.CPU, dtype); var saved = model.weights(); var scope = Scope.open()) {
      var folded = new Folding(model.state().model()).fold(saved.tensors());
      assertThat(loaded.weights().all()).hasSize(folded.size()).allSatisfy(weight -> {
        assertThat(Dtype.of(weight.value())).isEqualTo(dtype);
        assertThat(weight.value().requires_grad()).isFalse();
        var wanted = requireNonNull(folded.get(weight.name())).to(dtype.scalarType());
        assertThat(weight.value().equal(wanted)).as(weight.name()).isTrue();
      });
    }
  }

  /** On a trained model; a byte has as many digits as bf16. */
  @Test
  void matricesInBytesAreAQuarterAndComputeTheSameButForRounding() {
    var model = find("latest");
    try (var exact = model.load(Device.CPU, Dtype.F32);
        var bytes = model.load(Device.CPU, Dtype.F32, true);
        var scope = Scope.withoutGradients()) {
      assertThat(bytes.weights().bytes()).isLessThan(exact.weights().bytes() / 2);
      var ids = Memory.tensor("line 1 of the te".chars().asLongStream().toArray(), 1, 16);
      double loss = exact.model().loss(ids, ids).item_double();
      assertThat(bytes.model().loss(ids, ids).item_double()).isNotEqualTo(loss).isCloseTo(loss, offset(0.03));
      var logits = exact.model().logits(exact.model().hidden(ids));
      var error = bytes.model().logits(bytes.model().hidden(ids)).sub(logits).abs().max().item_double();
      assertThat(error).isBetween(1e-6, 0.05 * logits.abs().max().item_double());
    }
  }

  @Test
  void aModelRunsFoldedAsItWasTrained() {
    var model = find("latest");
    var trainedWeights = new Weights(Device.CPU, Dtype.F64, 0);
    try (var loaded = model.load(Device.CPU, Dtype.F64); var saved = model.weights(); var scope = Scope.withoutGradients()) {
      var trainedModel = new Gpt(model.state().model(), trainedWeights);
      trainedWeights.load(saved.tensors());
      var ids = Memory.tensor(new long[] {3, 1, 4, 1, 5, 9, 2, 6}, 1, 8);
      var error = loaded.model().hidden(ids).sub(trainedModel.hidden(ids)).abs().max().item_double();
      // The fold is stored in float32.
      assertThat(error).isLessThan(1e-6);
    }
  }

  @Test
  void aDamagedCheckpointIsPassedOverOnlyWhereTheLatestIsWanted() throws IOException {
    Files.writeString(run.resolve("step-00000006/state.json"), "{}");
    assertRefused(run, "6", "has no whole checkpoint of step 6; it has those of 2, 4");
    assertRefused(run.resolve("step-00000006"), "latest", "step-00000006 is damaged: state.json has 2 bytes");
    flip(run.resolve("step-00000004/model.safetensors"));
    assertRefused(run, "4", "step-00000004 is damaged: model.safetensors does not have its SHA-256");
    assertThat(find("latest").state().step()).isEqualTo(2);
    assertThat(warnings).hasSize(2);
    flip(run.resolve("step-00000002/model.safetensors"));
    assertRefused(run, "latest", "No checkpoint of " + run + " is sound; restore one");
  }

  private static void flip(Path file) throws IOException {
    var bytes = Files.readAllBytes(file);
    bytes[bytes.length - 1] ^= 1;
    Files.write(file, bytes);
  }

  @Test
  void whereThereIsNoModelTheFolderToGiveIsSaid() throws IOException {
    assertRefused(temp.resolve("absent"), "latest", "There is no folder", "give the folder of a run");
    assertRefused(Files.createDirectory(temp.resolve("empty")), "latest", "has no whole checkpoint; give the folder of a run");
    assertRefused(run, "3", "no whole checkpoint of step 3; it has those of 2, 4, 6");
    assertRefused(run.resolve("step-00000006"), "best", "is itself a checkpoint; leave --step out");
    assertThatThrownBy(() -> Choice.parse("newest")).isInstanceOf(UserError.class).hasMessage(
        "--step newest is no checkpoint; use latest, best or the number of a step");
  }

  @Test
  void aRunThatWasNeverValidatedHasNoBest() {
    var other = temp.resolve("other");
    try (var lock = RunLock.acquire(other)) {
      new CheckpointStore(other, 1, warnings::add).save(1, OptionalDouble.empty(), folder -> folder.json("any.json", 1));
    }
    assertRefused(other, "best", "No checkpoint of " + other + " has a validation loss; use --step latest");
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "\"version\" : 1|\"version\" : 2|is of format 2 and this walsh reads format 1; use the version",
      "\"tokenizer\"|\"tokeniser\"|was written by another version of walsh or altered since",
      "\"tokenizer\" : \"bytes\"|\"tokenizer\" : null|was written by another version of walsh or altered since",
      "\"core\" : 12|\"core\" : 4|No Hadamard matrix of order 12 with core 4",
      "\"mix\" : \"hadamard\"|\"mix\" : \"identity\"|H_d as (2 = 2^1: Sylvester of order 2) ⊗ (12: Paley I of order 12), but here it is none",
      "\"heads\" : 2|\"heads\" : 1|but here it is (1 = 2^0: Sylvester of order 1) ⊗ (24 = 12 · 2^1: Paley I of order 12 ⊗ Sylvester of order 2), which would change the model"})
  void aStateThatThisVersionCannotRunIsRefused(String before, String after, String said) throws IOException {
    var folder = alter(text -> text.replaceFirst(before, after));
    assertRefused(folder, "latest", folder.resolve("state.json").toString(), said);
  }

  @Test
  void weightsOfAnotherModelAreRefused() throws IOException {
    var folder = alter(text -> text.replaceFirst("\"layers\" : 2", "\"layers\" : 1"));
    var model = SavedModel.find(folder, new Choice.Latest(), warnings::add);
    assertThatThrownBy(() -> model.load(Device.CPU, Dtype.F32)).isInstanceOf(UserError.class)
        .hasMessageContainingAll(folder.resolve("model.safetensors").toString(), "restore both from a copy",
            "h.1.attn_norm.gain is unexpected");
  }

  /** A checkpoint with another state under a manifest that fits, as another version might have written it. */
  private Path alter(UnaryOperator<String> edit) throws IOException {
    var folder = run.resolve("step-00000006");
    var file = folder.resolve("state.json");
    var before = Files.readString(file);
    var after = edit.apply(before);
    assertThat(after).isNotEqualTo(before);
    Files.writeString(file, after);
    Files.delete(folder.resolve(Manifest.FILE));
    Files.writeString(folder.resolve(Manifest.FILE), Json.PRETTY.writeValueAsString(Manifest.of(folder, Map.of())));
    return folder;
  }
}
