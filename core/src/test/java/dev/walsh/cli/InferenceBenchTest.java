package dev.walsh.cli;

import dev.walsh.config.Json;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.train.TinyRun;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

import static org.assertj.core.api.Assertions.assertThat;

/** {@code bench prefill} and {@code bench decode}: what they print and write, whatever the clock says. */
final class InferenceBenchTest {
  @TempDir
  private Path folder;

  private JsonNode run(String bench, Object... more) throws Exception {
    var file = folder.resolve(bench + ".json");
    var arguments = new ArrayList<Object>(List.of("bench", bench, "--device", "cpu", "--rounds", 7, "--out", file));
    arguments.addAll(List.of(more));
    var printed = Outcome.of(arguments.toArray()).text();
    var written = Json.LINE.readTree(file.toFile());
    assertThat(Json.LINE.readTree(printed.lines().toList().getLast())).isEqualTo(written);
    for (var row : written.get("rows")) {
      for (var figure : List.of("p50_ms", "p99_ms", "tokens_per_s", "floor_ms", "of_floor", "speedup", "floor_speedup", "weights_mib",
          "cache_mib")) {
        assertThat(row.get(figure).asDouble()).as(figure).isPositive();
      }
      assertThat(row.get("p99_ms").asDouble()).isGreaterThanOrEqualTo(row.get("p50_ms").asDouble());
      assertThat(row.get("speedup").asDouble()).isBetween(row.get("speedup_low").asDouble(), row.get("speedup_high").asDouble());
    }
    return written;
  }

  private Path shape() throws Exception {
    return Files.writeString(folder.resolve("shape.json"),
        Json.LINE.writeValueAsString(new ModelConfig(2, 48, 4, 64, 16, 61, Projection.named("dense"))));
  }

  @ParameterizedTest
  @CsvSource({"decode,full", "decode,int8", "prefill,full"})
  void cellsAreRowsOfEachModel(String bench, String weights) throws Exception {
    var written = run(bench, "--model", shape(), "--batches", "1,3", "--lengths", "2,20", "--weights", weights, "--most-tokens", 50,
        "--dtype", "f32");
    assertThat(written.get("bench").asString()).isEqualTo(bench);
    assertThat(written.get("rows").valueStream().map(row -> row.get("projection").asString() + " " + row.get("batch") + "×"
        + row.get("length"))).containsExactly("dense 1×2", "hadamard 1×2", "dense 3×2", "hadamard 3×2", "dense 1×20", "hadamard 1×20");
    assertThat(written.get("rows").get(0).get("speedup").asDouble()).isEqualTo(1);
  }

  @Test
  void theReportHoldsEveryFigure() throws Exception {
    var report = folder.resolve("report");
    var rows = run("decode", "--model", shape(), "--batches", "1,3", "--lengths", "2,20", "--dtype", "f32", "--report", report).get("rows");
    assertThat(report.resolve("report.html")).content().contains("<h1>A step of decoding in f32</h1>", "hadamard against dense");
    for (var row : rows) {
      for (var figure : List.of("p50_ms", "p99_ms", "speedup", "speedup_low", "floor_speedup")) {
        double value = row.get(figure).asDouble();
        assertThat(report.resolve("report.html")).content().contains("data-value=\"" + (value == 1 ? "1" : value) + "\"");
      }
    }
    assertThat(report.resolve("figures")).isDirectoryContaining("glob:**/*hadamard-against-dense.svg").isDirectoryContaining(
        "glob:**/*throughput.svg");
  }

  @Test
  void trainedModelsAreTimedToo() throws Exception {
    var trained = TinyRun.train(folder, "some", Projection.named("hadamard"));
    assertThat(run("decode", "--run", trained, "--lengths", "8").get("rows").get(0).get("projection").asString()).isEqualTo("some");
    var tooLong = Outcome.of("bench", "decode", "--run", trained, "--lengths", 9, "--device", "cpu");
    assertThat(tooLong.status()).isEqualTo(2);
    assertThat(tooLong.err()).contains("give at most 8");
  }

  @ParameterizedTest
  @CsvSource({"decode,1048576", "prefill,200"})
  void attentionsAreTimedWithEachProjectionBeyondTheContext(String bench, int length) throws Exception {
    var rows = run(bench, "--model", shape(), "--attention", "softmax,hla:2x4,based", "--batches", 3, "--lengths", "20", "--dtype", "f32")
        .get("rows");
    assertThat(rows.valueStream().map(row -> row.get("projection").asString() + " " + row.get("attention").asString())).containsExactly(
        "dense softmax", "hadamard softmax", "dense hla:2x4", "hadamard hla:2x4", "dense based", "hadamard based");
    var far = run(bench, "--model", shape(), "--projection", "dense", "--attention", "hla:2x4", "--batches", 3, "--lengths", length,
        "--dtype", "f32").get("rows").get(0);
    // Two layers of four heads with 16 rows of twelve values and a count, for three sequences, at whatever length.
    assertThat(far.get("cache_mib").asDouble() * (1 << 20)).isEqualTo(3.0 * 2 * 4 * 16 * 13 * 4);
    assertThat(rows.get(2).get("cache_mib")).isEqualTo(far.get("cache_mib"));
  }

  @Test
  void aModelOfBothIsTimed() throws Exception {
    var report = folder.resolve("both");
    var row = run("decode", "--model", shape(), "--projection", "hadamard", "--attention", "softmax*1/hla:2x4*1,cosformer", "--lengths",
        "20",
        "--report", report).get("rows").get(0);
    assertThat(row.get("attention").asString()).isEqualTo("softmax*1/hla:2x4*1");
    // A layer's keys and values in whole pages, and another's states.
    assertThat(row.get("cache_mib").asDouble() * (1 << 20)).isGreaterThan(32.0 * 2 * 48 * 2 + 4 * 16 * 13 * 4);
    assertThat(report.resolve("report.html")).content().contains("hadamard+cosformer against hadamard+softmax*1/hla:2x4*1");
  }

  @Test
  void cellsThatDoNotFitAreLeftOut() throws Exception {
    var all = Outcome.of("bench", "decode", "--model", shape(), "--device", "cpu", "--batches", "1,100000000", "--lengths", "4", "--rounds",
        "1");
    assertThat(all.text()).contains("1 × 4").doesNotContain("100000000 × 4");
    assertThat(all.err()).contains("100000000 × 4 is left out. The cache of ");
    var none = Outcome.of("bench", "decode", "--model", shape(), "--device", "cpu", "--batches", "100000000", "--lengths", "4");
    assertThat(none.status()).isEqualTo(2);
    assertThat(none.err()).contains("walsh: there is no cell to time");
  }

  @Test
  void mistakesAreOneSentence() throws Exception {
    Outcome.of("bench", "decode", "--attention", "softmix").isMistake("the attention 'softmix' is unknown");
    Outcome.of("bench", "decode", "--projection", "hadamard+hla:2x16").isMistake("--projection hadamard+hla:2x16 names an attention");
    Outcome.of("bench", "decode", "--run", folder, "--attention", "hla").isMistake("--attention is what models of random weights");
    Outcome.of("bench", "decode", "--lengths", "2000000000").isMistake("--lengths 2000000000 is too long");
    Outcome.of("bench", "decode", "--model", shape(), "--device", "cpu", "--attention", "softmax*1/hla*2")
        .isMistake("attention names 3 layers");
    Outcome.of("bench", "decode", "--batches", "0").isMistake("--batches is 0");
    Outcome.of("bench", "prefill", "--lengths", "-1").isMistake("--lengths is -1");
    Outcome.of("bench", "prefill", "--weights", "int4").isMistake("--weights int4 is unknown");
    Outcome.of("bench", "prefill", "--graph", "maybe").isMistake("--graph maybe is unknown");
    Outcome.of("bench", "decode", "--model", "13M").isMistake("the model '13M' is unknown");
  }
}
