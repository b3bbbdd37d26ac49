package dev.walsh.cli;

import dev.walsh.config.Json;
import dev.walsh.config.Projection;
import dev.walsh.tensor.Device;
import dev.walsh.train.TinyRun;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

import static org.assertj.core.api.Assertions.assertThat;

/** {@code bench agreement} and {@code bench soak}, scaled down: all ways choose alike, and thousands of requests leave nothing. */
final class InferenceEvidenceTest {
  @TempDir
  private Path folder;

  @AfterAll
  static void allThreadsAgain() {
    Device.setThreads(Runtime.getRuntime().availableProcessors());
  }

  private static JsonNode line(Outcome outcome) {
    return Json.LINE.readTree(outcome.text().lines().toList().getLast());
  }

  @Test
  void everyWayFindsTheSameTokensLikeliest() throws Exception {
    var run = TinyRun.train(folder, "run", Projection.named("hadamard"));
    var text = Files.writeString(folder.resolve("some.txt"), "line 4 of the text, and of another".repeat(4));
    var own = line(Outcome.of("bench", "agreement", run, "--positions", 100, "--device", "cpu", "--dtype", "f32"));
    var given = line(Outcome.of("bench", "agreement", run, "--positions", 100, "--text", text, "--device", "cpu", "--dtype", "f32"));
    for (var of : new JsonNode[] {own, given}) {
      var ways = of.get("ways").valueStream().toList();
      assertThat(ways).hasSize(2);
      for (var way : ways) {
        // Windows of the model's 16 tokens.
        assertThat(way.get("positions").asInt()).isEqualTo(112);
        assertThat(way.get("agreement").asDouble()).as(way.toString()).isEqualTo(1);
        assertThat(way.get("misses")).isEmpty();
      }
    }
    var coarse = line(Outcome.of("bench", "agreement", run, "--device", "cpu", "--dtype", "bf16"));
    for (var way : coarse.get("ways")) assertThat(way.get("agreement").asDouble()).as(way.toString()).isGreaterThan(0.9);
    Outcome.of("bench", "agreement", run, "--text", text, "--device", "cpu").isMistake("The text has 136 tokens and 1008 are needed");
    Outcome.of("bench", "agreement", run, "--positions", 0).isMistake("--positions is 0");
  }

  @Test
  void hundredsOfRequestsLeaveNothing() {
    var outcome = line(Outcome.of("bench", "soak", "--requests", 300, "--batch", 8, "--device", "cpu", "--dtype", "f32")).get("outcome");
    assertThat(outcome.get("leakedBytes").asLong()).isZero();
    assertThat(outcome.get("cancelled").asInt()).isBetween(1, 150);
    assertThat(outcome.get("tokens").asLong()).isPositive();
    assertThat(outcome.get("memory")).hasSize(10);
    assertThat(outcome.get("memory").get(9).get("requests").asInt()).isEqualTo(300);
    assertThat(outcome.get("memory").get(9).get("residentBytes").asLong()).isPositive();
    Outcome.of("bench", "soak", "--requests", 0).isMistake("--requests is 0");
  }
}
