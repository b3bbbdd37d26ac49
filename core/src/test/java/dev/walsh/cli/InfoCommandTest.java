package dev.walsh.cli;

import dev.walsh.checkpoint.RunLock;
import dev.walsh.config.Json;
import dev.walsh.config.Projection;
import dev.walsh.train.MetricsLog;
import dev.walsh.train.RunPlan;
import dev.walsh.train.TinyRun;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

final class InfoCommandTest {
  @TempDir
  static Path shared;
  private static Path run;

  @TempDir
  Path temp;

  @BeforeAll
  static void train() {
    run = TinyRun.train(shared, "run", Projection.named("hadamard"));
  }

  @Test
  void theTablesShowTheRun() {
    assertThat(Outcome.of("info", run).text()).contains("2 layers, width 24, 2 heads, MLP 40, context 16",
        "(2 = 2^1: Sylvester of order 2) ⊗ (12: Paley I of order 12)", "bytes, 257 ids, padded to 320", "  of which output projections",
        "6 of 6", "nats a token", "bits a byte, at step 6", "step 2", "step 4", "step 6");
  }

  @Test
  void theJsonAgreesWithTheLogAndTheModel() throws IOException {
    var out = Outcome.of("info", run, "--json").text();
    assertThat(out).hasLineCount(1);
    var info = Json.LINE.readTree(out);
    assertThat(info.at("/plan/model/projection/mix").asString()).isEqualTo("hadamard");
    assertThat(info.at("/tokenizer").asString()).isEqualTo("bytes");
    long attention = 2 * (24 + 3 * 24 * 24 + 2 * 24);
    long mlp = 2 * (24 + 3 * 24 * 40);
    assertThat(info.at("/cost/parameters").asLong()).isEqualTo(attention + mlp + 24 + 320 * 24);
    assertThat(info.at("/cost/parts/0/parameters").asLong()).isEqualTo(attention);
    assertThat(info.at("/cost/parts/1/parameters").asLong()).isEqualTo(2 * 2 * 24);
    assertThat(info.at("/memory/weights").asLong()).isEqualTo(4 * info.at("/cost/parameters").asLong());
    assertThat(info.at("/history/tokens").asLong()).isEqualTo(6 * 64);
    double last = Objects.requireNonNull(MetricsLog.read(run).getLast().validationLoss());
    assertThat(info.at("/history/last/loss").asDouble()).isEqualTo(last);
    assertThat(info.at("/checkpoints/2/validationLoss").asDouble()).isEqualTo(last);
    // No document ends among the first 160 bytes of the held-out text.
    assertThat(info.at("/history/last/bitsPerByte").asDouble()).isEqualTo(last / Math.log(2), offset(1e-12));
    assertThat(info.at("/checkpoints/0/bytes").asLong()).isGreaterThan(3 * info.at("/memory/weights").asLong());
  }

  @Test
  void aRunWithoutItsDataStillHasAHistory() throws IOException {
    var copy = TinyRun.copy(run, temp.resolve("copy"));
    var file = copy.resolve(RunPlan.FILE);
    Files.writeString(file, Files.readString(file).replace(shared.resolve("data").toString(), temp.resolve("gone").toString()));
    assertThat(Outcome.of("info", copy).text()).contains("nats a token, at step 6").doesNotContain("bits a byte");
  }

  @Test
  void aRunThatHasOnlyBegunIsShown() throws IOException {
    var copy = TinyRun.copy(run, temp.resolve("copy"));
    for (int step = 2; step <= 6; step += 2) TinyRun.delete(copy.resolve("step-0000000" + step));
    Files.delete(copy.resolve(MetricsLog.FILE));
    try (var lock = RunLock.acquire(copy)) {
      assertThat(Outcome.of("info", copy).text()).contains("none yet, of 6", "checkpoint", "bytes, 257 ids");
      var info = Json.LINE.readTree(Outcome.of("info", copy, "--json").text());
      assertThat(info.at("/history").isNull()).isTrue();
      assertThat(info.at("/checkpoints")).isEmpty();
    }
  }

  @Test
  void whatIsNoRunIsOneSentence() {
    Outcome.of("info", temp.resolve("absent")).isMistake("run.json", "give the folder of a run");
    Outcome.of("info", run.resolve("step-00000006")).isMistake("run.json", "give the folder of a run");
  }
}
