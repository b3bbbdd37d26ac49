package dev.walsh.cli;

import dev.walsh.config.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;

final class BenchRecallCommandTest {
  @TempDir
  Path folder;

  @Test
  void aRowAnAttentionAndTask() throws Exception {
    var file = folder.resolve("recall.json");
    var printed = Outcome
        .of("bench", "recall", "--attention", "softmax,hla:2x4", "--keys", "1,2", "--width", 16, "--layers", 1, "--steps", 3,
            "--batch", 8, "--device", "cpu", "--threads", 1, "--dtype", "f32", "--out", file)
        .text();
    var written = Json.LINE.readTree(file.toFile());
    assertThat(Json.LINE.readTree(printed.lines().toList().getLast())).isEqualTo(written);
    assertThat(Files.readString(folder.resolve("recall.svg"))).contains("Recall by keys");
    var rows = written.get("rows");
    assertThat(rows.valueStream().map(row -> row.get("attention").asString() + " " + row.get("keys").asInt())).containsExactly("softmax 1",
        "hla:2x4 1", "softmax 2", "hla:2x4 2");
    // Keys and values of 32 tokens of 16 channels, and 16 rows of eight values and a count in each of two heads, in float32.
    assertThat(rows.get(0).get("state_bytes").asLong()).isEqualTo(2 * 32 * 16 * 4);
    assertThat(rows.get(1).get("state_bytes").asLong()).isEqualTo(2 * 16 * 9 * 4);
    assertThat(rows.get(2).get("guess").asDouble()).isEqualTo(0.5);
    for (var row : rows) assertThat(row.get("accuracy").asDouble()).isBetween(0.0, 1.0);
  }

  @Test
  void mistakesAreOneSentence() {
    Outcome.of("bench", "recall", "--keys", "0").isMistake("--keys is 0");
    Outcome.of("bench", "recall", "--keys", "8", "--length", "31").isMistake("--length 31 is too short for 8 keys");
    Outcome.of("bench", "recall", "--keys", "32", "--vocabulary", "64").isMistake("--vocabulary 64 has 31 keys", "give at least 66");
    Outcome.of("bench", "recall", "--attention", "dense").isMistake("the attention 'dense' is unknown");
    Outcome.of("bench", "recall", "--steps", "0").isMistake("--steps is 0");
    Outcome.of("bench", "recall", "--lr", "0", "--device", "cpu").isMistake("--lr is 0.0");
    Outcome.of("bench", "recall", "--out", "there.txt").isMistake("must end in .json");
  }
}
