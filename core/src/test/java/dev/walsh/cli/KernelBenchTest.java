package dev.walsh.cli;

import dev.walsh.config.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

import static org.assertj.core.api.Assertions.assertThat;

/** {@code bench transform} and {@code bench operator}: what they print and write, whatever the clock says. */
final class KernelBenchTest {
  @TempDir
  private Path folder;

  private JsonNode run(String bench, String width) throws Exception {
    var file = folder.resolve(bench + ".json");
    var printed = Outcome.of("bench", bench, "--device", "cpu", "--threads", "1", "--widths", width, "--rows", "3", "--dtype", "f32",
        "--out", file).text();
    var written = Json.LINE.readTree(file.toFile());
    assertThat(Json.LINE.readTree(printed.lines().toList().getLast())).isEqualTo(written);
    assertThat(Files.readString(folder.resolve(bench + ".svg"))).startsWith("<?xml").contains("share of copy speed");
    assertThat(written.get("bench").asString()).isEqualTo(bench);
    assertThat(written.get("device").asString()).isEqualTo("cpu");
    assertThat(written.get("stamp").get("command").asString()).startsWith("./walsh bench " + bench + " --device cpu");
    for (var row : written.get("rows")) {
      for (var time : List.of("ns_per_row", "copy_ns_per_row", "dense_ns_per_row")) assertThat(row.get(time).asDouble()).isPositive();
      assertThat(row.get("max_error").asDouble()).isLessThan(1e-5);
      assertThat(row.get("rows").asLong()).isEqualTo(3);
    }
    return written.get("rows");
  }

  @Test
  void theTransformIsOneRowAShape() throws Exception {
    var rows = run("transform", "16");
    assertThat(rows).hasSize(1);
    assertThat(rows.get(0).get("width").asInt()).isEqualTo(16);
  }

  @Test
  void theOperatorIsARowAFormAndPass() throws Exception {
    var rows = run("operator", "96");
    assertThat(rows.valueStream().map(row -> row.get("form").asString() + " " + row.get("pass").asString())).containsExactly("full forward",
        "full backward", "folded forward", "folded backward");
    assertThat(rows.get(0).get("heads").asInt()).isEqualTo(1);
  }

  @Test
  void mistakesAreOneSentence() {
    Outcome.of("bench", "transform", "--rows", "0", "--device", "cpu").isMistake("--rows must be positive");
    Outcome.of("bench", "transform", "--dtype", "f31", "--device", "cpu").isMistake("f31 is unknown");
    Outcome.of("bench", "transform", "--widths", "7").isMistake("order 7");
    Outcome.of("bench", "operator", "--widths", "7").isMistake("--widths 7");
    Outcome.of("bench", "operator", "--out", "there.txt").isMistake("must end in .json");
    Outcome.of("bench", "operator", "--threads", "0").isMistake("--threads is 0");
  }
}
