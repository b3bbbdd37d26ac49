package dev.walsh.tensor;

import java.util.ArrayDeque;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

final class DownloadTest {
  /** Leaves what stands for a turn at all places of its row. */
  private static void leave(Download download, int turn) {
    try (var scope = Scope.withoutGradients()) {
      Tensor row = download.memory().select(0, turn % Download.TURNS);
      row.fill_(new Scalar(turn));
    }
  }

  @Test
  void eachPlaceIsReadAtItsTurnHoweverLate() {
    try (var download = new Download(Device.CPU, 3)) {
      var pending = new ArrayDeque<Download.Pending>();
      for (int turn = 0; turn < 3 * Download.TURNS; turn++) {
        if (pending.size() == Download.TURNS) {
          long oldest = turn - Download.TURNS;
          assertThat(pending.removeFirst().await()).containsExactly(oldest, oldest);
        }
        leave(download, turn);
        pending.add(download.begin(1, turn, turn));
      }
    }
  }

  @Test
  void placesMayBeAtDifferentTurns() {
    try (var download = new Download(Device.CPU, 3)) {
      for (int turn = 4; turn < 8; turn++) leave(download, turn);
      assertThat(download.begin(0, 6, 4, 7).await()).containsExactly(6, 4, 7);
    }
  }

  @Test
  void nothingIsAskedForThatWouldOverwriteWhatNobodyHasRead() {
    try (var download = new Download(Device.CPU, 1)) {
      for (int turn = 0; turn < Download.TURNS; turn++) download.begin(0, turn);
      assertThatIllegalStateException().isThrownBy(() -> download.begin(0, Download.TURNS)).withMessageContaining("nobody has read");
    }
  }
}
