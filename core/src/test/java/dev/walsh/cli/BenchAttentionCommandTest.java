package dev.walsh.cli;

import dev.walsh.config.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

import static org.assertj.core.api.Assertions.assertThat;

/** {@code bench attention}: what it prints and writes, whatever the clock says. */
final class BenchAttentionCommandTest {
  @TempDir
  private Path folder;

  private JsonNode run(String... options) throws Exception {
    var file = folder.resolve("attention.json");
    var all = new ArrayList<Object>(List.of("bench", "attention", "--device", "cpu", "--threads", "1", "--dtype", "f32", "--heads",
        "2", "--dim", "8", "--rank", "4", "--tokens", "64", "--out", file));
    all.addAll(List.of(options));
    var printed = Outcome.of(all.toArray()).text();
    var written = Json.LINE.readTree(file.toFile());
    assertThat(Json.LINE.readTree(printed.lines().toList().getLast())).isEqualTo(written);
    for (var row : written.get("rows")) {
      for (var figure : List.of("ms", "tokens_per_s", "tflops", "of_product")) assertThat(row.get(figure).asDouble()).isPositive();
      if (row.has("error")) assertThat(row.get("error").asDouble()).isLessThan(1e-5);
    }
    return written;
  }

  @Test
  void everySubjectIsARowALengthAndPass() throws Exception {
    var written = run("--lengths", "16,32", "--pairs", "16");
    assertThat(written.get("rows").valueStream().map(row -> row.get("length").asLong() + " " + row.get("subject").asString() + " "
        + row.get("pass").asString()))
        .containsExactly("16 hla, states forward", "16 hla, pairs forward", "16 hla, with maps forward", "16 softmax, flash forward",
            "16 hla, states forward + backward", "16 hla, pairs forward + backward", "16 hla, with maps forward + backward",
            "16 softmax, flash forward + backward", "32 hla, states forward", "32 hla, with maps forward", "32 softmax, flash forward",
            "32 hla, states forward + backward", "32 hla, with maps forward + backward", "32 softmax, flash forward + backward");
    assertThat(written.get("rows").get(0).get("batch").asLong()).isEqualTo(4);
    assertThat(written.get("crossovers")).hasSize(6);
  }

  @Test
  void softmaxIsTimedOnceWhateverChunksAreSwept() throws Exception {
    var written = run("--lengths", "16", "--pairs", "0", "--causal", "--factors", "1", "--chunk", "4,8");
    assertThat(written.get("rows").valueStream().filter(row -> row.get("pass").asString().equals("forward"))
        .map(row -> row.get("subject").asString() + (row.has("chunk") ? " " + row.get("chunk").asLong() : "")))
        .containsExactly("hla, states 4", "hla, with maps", "softmax, flash", "hla, states 8", "hla, with maps");
  }

  @Test
  void mistakesAreOneSentence() {
    Outcome.of("bench", "attention", "--preset", "film").isMistake("--preset film is unknown");
    Outcome.of("bench", "attention", "--preset", "video", "--causal").isMistake("--preset video is bidirectional");
    Outcome.of("bench", "attention", "--lengths", "0").isMistake("--lengths must be positive");
    Outcome.of("bench", "attention", "--chunk", "64").isMistake("add --causal");
    Outcome.of("bench", "attention", "--causal", "--chunk", "0").isMistake("--chunk must be positive");
    Outcome.of("bench", "attention", "--rank", "8,16", "--factors", "1,2,3").isMistake("--rank names 2 ranks for 3 numbers of factors");
    Outcome.of("bench", "attention", "--factors", "4", "--device", "cpu").isMistake("4 factors");
    Outcome.of("bench", "attention", "--tokens", "0").isMistake("--tokens is 0");
    Outcome.of("bench", "attention", "--out", "there.txt").isMistake("must end in .json");
  }
}
