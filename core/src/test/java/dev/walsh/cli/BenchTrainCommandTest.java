package dev.walsh.cli;

import dev.walsh.config.Json;
import dev.walsh.train.TinyRun;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;

/** {@code bench train}: what it prints and writes, whatever the clock says. */
final class BenchTrainCommandTest {
  @TempDir
  private Path folder;
  private Path model;

  @BeforeEach
  void writeAModel() throws Exception {
    model = Files.write(folder.resolve("tiny.json"), Json.PRETTY.writeValueAsBytes(TinyRun.MODEL));
  }

  @Test
  void theLineOfJsonHasARowAnArmAndWhatHadamardSaves() {
    var text = Outcome.of("bench", "train", "--device", "cpu", "--model", model, "--batch", "4", "--steps", "8", "--recompute", "--saving",
        "--data", TinyRun.data(folder)).text();
    assertThat(text).contains("computed", "Saved by Hadamard");
    var line = Json.LINE.readTree(text.lines().toList().getLast());
    assertThat(line.get("rows").valueStream().map(row -> row.get("projection").asString())).containsExactly("dense", "hadamard");
    for (var row : line.get("rows")) {
      assertThat(row.get("recompute").asBoolean()).isTrue();
      assertThat(row.get("mfu").asDouble()).isPositive();
      assertThat(row.get("computedMib").asDouble()).isPositive();
      assertThat(row.get("lastLoss").asDouble()).isLessThan(row.get("firstLoss").asDouble());
      assertThat(row.has("profile")).as("the CPU records no kernels").isFalse();
    }
    var saving = line.get("savings").get(0).get("saving");
    var rows = line.get("rows");
    assertThat(saving.get("saved").asDouble()).isEqualTo(rows.get(0).get("ms").asDouble() - rows.get(1).get("ms").asDouble());
    assertThat(saving.get("dense").asDouble()).isPositive();
    assertThat(saving.get("operator").asDouble()).isPositive();
  }

  @Test
  void mistakesAreOneSentence() {
    Outcome.of("bench", "train", "--device", "cpu", "--projection", "dense", "--saving").isMistake("--saving compares dense with hadamard");
    Outcome.of("bench", "train", "--device", "cpu", "--steps", "0").isMistake("--steps is 0");
    Outcome.of("bench", "train", "--device", "cpu", "--batch", "1,2,3").isMistake("--batch names 3 sizes for 1 shapes");
  }
}
