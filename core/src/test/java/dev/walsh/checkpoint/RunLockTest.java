package dev.walsh.checkpoint;

import dev.walsh.config.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class RunLockTest {
  @TempDir
  Path folder;

  @Test
  void aSecondRunInThisProcessIsRefusedAndTheFirstStaysLocked() throws IOException {
    var run = folder.resolve("new/run");
    try (var _ = RunLock.acquire(run)) {
      for (int i = 0; i < 2; i++) {
        assertThatThrownBy(() -> RunLock.acquire(run.resolve("../run"))).isInstanceOf(UserError.class).hasMessageContaining("is in use")
            .hasMessageContaining("pid " + ProcessHandle.current().pid());
      }
      assertThat(run.resolve("run.lock")).content().contains("pid " + ProcessHandle.current().pid());
      assertThat(RunLock.isHeld(run)).isTrue();
    }
    assertThat(RunLock.isHeld(run)).isFalse();
    RunLock.acquire(run).close();
  }

  @Test
  void closingTwiceGivesBackOnce() {
    var first = RunLock.acquire(folder);
    first.close();
    try (var _ = RunLock.acquire(folder)) {
      first.close();
      assertThatThrownBy(() -> RunLock.acquire(folder)).isInstanceOf(UserError.class);
    }
  }

  @Test
  void aLivingProcessIsNamedAndADeadOneIsInNobodysWay() throws IOException {
    try (var other = LockHolder.start(folder)) {
      assertThatThrownBy(() -> RunLock.acquire(folder)).isInstanceOf(UserError.class).hasMessageContaining("pid " + other.pid() + " on ");
      assertThat(RunLock.isHeld(folder)).isFalse();
    }
    assertThat(folder.resolve("run.lock")).content().isNotBlank();
    RunLock.acquire(folder).close();
  }

  @Test
  void aFolderThatCannotBeMadeIsASentence() throws IOException {
    var file = Files.writeString(folder.resolve("file"), "mine");
    assertThatThrownBy(() -> RunLock.acquire(file)).isInstanceOf(UserError.class).hasMessageContaining("Cannot lock " + file);
    assertThat(file).hasContent("mine");
  }
}
