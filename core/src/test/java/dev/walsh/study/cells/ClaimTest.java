package dev.walsh.study.cells;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;

final class ClaimTest {
  private static final long NO_PROCESS = Long.MAX_VALUE;
  @TempDir
  Path folder;

  private Path file(String host, long pid, Duration age) throws IOException {
    var file = Files.writeString(folder.resolve("cell.lock"), "{\"host\":\"%s\",\"pid\":%d}".formatted(host, pid));
    return Files.setLastModifiedTime(file, FileTime.from(Instant.now().minus(age)));
  }

  private static boolean isTaken(Path file) {
    try (var claim = Claim.take(file)) {
      return claim == null;
    }
  }

  @Test
  void oneHasItUntilItIsGivenBack() {
    var file = folder.resolve("cells").resolve("cell.lock");
    try (var claim = Claim.take(file)) {
      assertThat(claim).isNotNull();
      assertThat(isTaken(file)).isTrue();
    }
    assertThat(file).doesNotExist();
    assertThat(isTaken(file)).isFalse();
  }

  @Test
  void aLivingHolderElsewhereKeepsItAndADeadOneDoesNot() throws IOException {
    assertThat(isTaken(file("elsewhere", 1, Duration.ZERO))).isTrue();
    assertThat(isTaken(file("elsewhere", 1, Duration.ofSeconds(45)))).isTrue();
    assertThat(isTaken(file("elsewhere", 1, Duration.ofSeconds(90)))).isFalse();
  }

  @Test
  void aProcessOfThisMachineThatIsGoneIsInNobodysWay() throws IOException {
    assertThat(isTaken(file(Claim.Holder.self().host(), NO_PROCESS, Duration.ZERO))).isFalse();
    assertThat(isTaken(file(Claim.Holder.self().host(), ProcessHandle.current().pid(), Duration.ZERO))).isTrue();
  }

  @Test
  void aFileThatWasCutOffIsJudgedByItsAge() throws IOException {
    var file = Files.writeString(folder.resolve("cell.lock"), "{\"ho");
    assertThat(isTaken(file)).isTrue();
    Files.setLastModifiedTime(file, FileTime.from(Instant.now().minus(Duration.ofSeconds(90))));
    assertThat(isTaken(file)).isFalse();
  }
}
