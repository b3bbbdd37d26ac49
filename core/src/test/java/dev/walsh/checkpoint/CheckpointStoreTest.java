package dev.walsh.checkpoint;

import dev.walsh.config.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class CheckpointStoreTest {
  @TempDir
  Path run;
  private final List<String> warnings = new ArrayList<>();
  private RunLock lock;
  private CheckpointStore store;

  @BeforeEach
  void open() {
    lock = RunLock.acquire(run);
    store = new CheckpointStore(run, 2, warnings::add);
  }

  @AfterEach
  void close() {
    lock.close();
  }

  private Checkpoint save(long step, double loss) {
    return store.save(step, Double.isNaN(loss) ? OptionalDouble.empty() : OptionalDouble.of(loss),
        folder -> folder.json("state.json", step));
  }

  private List<Long> steps() {
    return store.list().stream().map(Checkpoint::step).toList();
  }

  @Test
  void whatIsSavedIsTheLatest() {
    var weight = TensorBytes.random(StoredType.BF16, List.of(3L, 2L), 5);
    assertThat(store.latest()).isEmpty();
    var saved = store.save(1000, OptionalDouble.of(3.25), folder -> folder.tensors("model.safetensors", Map.of("w", weight), Map.of()));
    assertThat(saved).isEqualTo(new Checkpoint(1000, OptionalDouble.of(3.25), run.resolve("step-00001000")));
    assertThat(store.latest()).contains(saved);
    assertThat(store.list()).containsExactly(saved);
    try (var open = Safetensors.open(saved.folder().resolve("model.safetensors"))) {
      assertThat(open.tensor("w").data_ptr().address() % 64).isZero();
      assertThat(TensorBytes.of(open.tensor("w"))).isEqualTo(TensorBytes.of(weight));
    }
    assertThat(warnings).isEmpty();
  }

  @Test
  void theNewestAndTheBestAreKept() {
    save(1, 3.0);
    save(2, 1.0);
    save(3, Double.NaN);
    save(4, Double.NEGATIVE_INFINITY);
    assertThat(steps()).containsExactly(2L, 3L, 4L);
    save(5, 2.0);
    save(100_000_000, 2.5);
    assertThat(steps()).containsExactly(2L, 5L, 100_000_000L);
    save(100_000_001, 0.5);
    assertThat(steps()).containsExactly(100_000_000L, 100_000_001L);
    assertThat(run).isDirectoryNotContaining("glob:**.tmp");
  }

  @Test
  void aDamagedCheckpointIsPassedOverAndNeverPushesOutASoundOne() throws IOException {
    save(1, 1.0);
    save(2, 2.0);
    save(3, 3.0);
    Files.writeString(run.resolve("step-00000003/state.json"), "4");
    Files.delete(run.resolve("step-00000002/manifest.json"));
    assertThat(store.latest().orElseThrow().step()).isEqualTo(1);
    assertThat(warnings).hasSize(2);
    assertThat(warnings.get(0)).contains("step-00000003 is damaged: state.json does not have its SHA-256").contains("resume from")
        .contains("step-00000001");
    assertThat(warnings.get(1)).contains("step-00000002 is damaged: manifest.json");

    store = new CheckpointStore(run, 1, warnings::add);
    warnings.clear();
    save(2, 2.5);
    assertThat(warnings).hasSize(1).first().asString().contains("set aside as " + run.resolve("step-00000002.damaged-1"));
    assertThat(run.resolve("step-00000002.damaged-1/state.json")).hasContent("2");
    assertThat(steps()).containsExactly(1L, 2L, 3L);
    assertThat(store.latest().orElseThrow().step()).isEqualTo(2);

    save(3, 3.5);
    assertThat(steps()).containsExactly(1L, 3L);
    assertThat(store.latest().orElseThrow().step()).isEqualTo(3);
  }

  @Test
  void aSoundCheckpointIsNotOverwritten() {
    save(5, 1.0);
    assertThatThrownBy(() -> save(5, 2.0)).isInstanceOf(UserError.class).hasMessageContaining("exists already");
    assertThat(store.latest().orElseThrow().validationLoss()).hasValue(1.0);
  }

  @Test
  void aFailedSaveHarmsNothing() {
    var first = save(1, 1.0);
    for (int i = 0; i < 3; i++) {
      assertThatThrownBy(() -> store.save(2, OptionalDouble.empty(), folder -> {
        folder.json("state.json", 2);
        throw new IOException("No space left on device");
      })).isInstanceOf(UserError.class).hasMessageContaining("step-00000002")
          .hasMessageContaining("earlier checkpoints included, is intact");
    }
    assertThat(store.list()).containsExactly(first);
    assertThat(store.latest()).contains(first);
    assertThat(run).isDirectoryNotContaining("glob:**step-00000002*");
  }

  @Test
  void whatAKilledRunLeftIsCleanedByTheNextSave() throws IOException {
    save(1, 1.0);
    lock.close();
    try (var other = LockHolder.start(run)) {
      assertThat(run.resolve("step-00000007.tmp/half")).exists();
      assertThat(steps()).containsExactly(1L);
      assertThat(other.pid()).isPositive();
    }
    assertThat(run.resolve("step-00000007.tmp/half")).exists();
    var mine = Files.writeString(run.resolve("mine.tmp"), "mine");
    lock = RunLock.acquire(run);
    assertThat(store.latest().orElseThrow().step()).isEqualTo(1);
    save(7, 1.0);
    assertThat(run.resolve("step-00000007.tmp")).doesNotExist();
    assertThat(mine).hasContent("mine");
    assertThat(steps()).containsExactly(1L, 7L);
  }

  @Test
  void aDeletionCutShortLeavesNothingThatLooksWhole() throws IOException {
    save(1, 1.0);
    save(2, 1.0);
    Files.move(run.resolve("step-00000001"), AtomicFolder.temporary(run.resolve("step-00000001")));
    assertThat(steps()).containsExactly(2L);
    save(3, 1.0);
    assertThat(run).isDirectoryNotContaining("glob:**.tmp");
  }

  @Test
  void aRenamedCheckpointIsNotTrusted() throws IOException {
    save(1, 1.0);
    Files.move(run.resolve("step-00000001"), run.resolve("step-00000009"));
    assertThat(steps()).isEmpty();
    assertThat(store.latest()).isEmpty();
    assertThat(warnings).hasSize(1).first().asString().contains("another step");
  }

  @Test
  void misuseIsRefused() {
    lock.close();
    assertThatThrownBy(() -> save(1, 1.0)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> new CheckpointStore(run, 0, warnings::add)).isInstanceOf(UserError.class);
    assertThat(new CheckpointStore(run.resolve("absent"), 1, warnings::add).latest()).isEmpty();
  }
}
