package dev.walsh.ranks;

import dev.walsh.config.UserError;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

@DisabledOnOs(OS.WINDOWS)
final class RankProcessesTest {
  @TempDir
  Path folder;

  private int run(int size, String script) {
    return RankProcesses.run(List.of("/bin/sh", "-c", script), size, rank -> Map.of("FOLDER", folder.toString(), "OWN", "gpu" + rank));
  }

  @Test
  void eachRankFindsItsPlaceInItsEnvironment() throws Exception {
    assertThat(run(3, "echo $RANK $WORLD_SIZE $LOCAL_RANK $MASTER_ADDR $OWN >$FOLDER/$RANK")).isZero();
    for (int r = 0; r < 3; r++) {
      assertThat(Files.readString(folder.resolve(Integer.toString(r)))).isEqualTo(r + " 3 " + r + " 127.0.0.1 gpu" + r + "\n");
    }
  }

  @Test
  void theRankThatDiesIsNamedWithItsLastLines() {
    assertThatThrownBy(() -> run(3, "[ $RANK != 1 ] || { echo no memory left; exit 3; }; sleep 1; exit 2")).isInstanceOf(UserError.class)
        .hasMessage("rank 1 of 3 died with status 3, and the others were ended; its last lines:\n  no memory left");
    assertThatThrownBy(() -> run(2, "[ $RANK != 1 ] || kill -9 $$; sleep 1; exit 2")).isInstanceOf(UserError.class)
        .hasMessage("rank 1 of 2 died by signal 9, and the others were ended; it printed nothing");
  }

  @Test
  void whatRankZeroSaysIsSaidOnce() {
    assertThat(run(2, "[ $RANK != 0 ] || exit 2; sleep 1; exit 2")).isEqualTo(2);
  }

  @Test
  void aRankThatASignalStoppedIsNoDeath() {
    assertThat(run(2, "[ $RANK = 0 ] || exit 143; exit 130")).isEqualTo(130);
  }
}
