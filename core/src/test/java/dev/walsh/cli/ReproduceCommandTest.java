package dev.walsh.cli;

import dev.walsh.config.Json;
import dev.walsh.generate.InferenceBenchmark.Kind;
import dev.walsh.generate.InferenceResult;
import dev.walsh.generate.InferenceResult.Row;
import dev.walsh.measure.Stamp;
import dev.walsh.tensor.Device;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;

/** {@code reproduce table3} and {@code fig5} to {@code fig8}: what is made of results that the test makes up, and that small ones are measured. */
final class ReproduceCommandTest {
  @TempDir
  private Path folder;

  @AfterAll
  static void allThreadsAgain() {
    Device.setThreads(Runtime.getRuntime().availableProcessors());
  }

  private static Row row(String model, String projection, int batch, int length, double speedup, double margin) {
    double milliseconds = 8 / speedup;
    return new Row(model, projection, "softmax", batch, length, milliseconds, milliseconds, 1e3 * batch / milliseconds, 1, 1 / milliseconds,
        speedup,
        speedup - margin, speedup + margin, 1.05, projection.equals("dense") ? 100 : 95, 10, 0);
  }

  private void write(String file, Kind kind, String weights, Row... rows) throws Exception {
    var result = new InferenceResult(kind, "bf16", weights, "on", 1, 1, List.of(rows), new Stamp("2026-03-14 09:26", "a device", "c", "w"));
    Files.writeString(folder.resolve(file), Json.LINE.writeValueAsString(result));
  }

  private String reproduce(String what) {
    return Outcome.of("reproduce", what, "--results", folder, "--out", folder.resolve("out")).text().replaceAll("\\s+", " ");
  }

  @Test
  void table3CountsWhatIsRepeatedAndWhatIsNot() throws Exception {
    // The paper has dense ahead at 124M and Hadamard at the others.
    write("decode.json", Kind.DECODE, "full", row("124M", "dense", 1024, 2, 1, 0), row("124M", "hadamard", 1024, 2, 1.04, 0.01),
        row("354M", "dense", 1024, 2, 1, 0), row("354M", "hadamard", 1024, 2, 1.02, 0.03));
    write("decode-more.json", Kind.DECODE, "full", row("757M", "dense", 1024, 2, 1, 0), row("757M", "hadamard", 1024, 2, 1.06, 0.01));
    write("decode-int8.json", Kind.DECODE, "int8", row("1.7B", "dense", 1024, 2, 1, 0), row("1.7B", "hadamard", 1024, 2, 3, 0.01));
    assertThat(reproduce("table3")).contains("4 of 7 cells were not measured", "Hadamard is faster in 2 and slower in 0; in 1 the",
        "median of 1.04", "repeated for 1 of 3 sizes and contradicted for 1", "−4.5%", "−2.8%", "60.24k");
    assertThat(reproduce("fig8")).contains("from 1.04", "to 1.06", ": the intervals do not tell.");
    assertThat(folder.resolve("out/figures/figure-8-hadamard-dense-by-size.svg")).content().contains("data-name=\"ours\"");
  }

  @Test
  void figures6And7SayWhereDenseIsFaster() throws Exception {
    write("prefill.json", Kind.PREFILL, "full", row("757M", "dense", 8, 32, 1, 0), row("757M", "hadamard", 8, 32, 1.01, 0.02),
        row("757M", "dense", 1024, 32, 1, 0), row("757M", "hadamard", 1024, 32, 1.06, 0.01));
    assertThat(reproduce("fig6")).contains("31 of 33 cells were not measured", "here 1 of 2 intervals reach that range",
        "at 8 × 32 the paper has 0.93");
    assertThat(folder.resolve("out/reproduce.html")).content().contains("data-value=\"1.06\"", "class=\"above\"", "class=\"none\"");
    assertThat(folder.resolve("out/figures")).isDirectoryContaining("glob:**/figure-6-prefill-of-757m.svg");
    write("decode.json", Kind.DECODE, "full", row("757M", "dense", 32, 32, 1, 0), row("757M", "hadamard", 32, 32, 0.97, 0.01),
        row("757M", "dense", 64, 32, 1, 0), row("757M", "hadamard", 64, 32, 1.0, 0.01));
    assertThat(reproduce("fig7")).contains("between batch 512 and 1024; here it is slower at batch 32.");
    assertThat(reproduce("fig5")).contains("21 of 21 cells were not measured");
  }

  @ParameterizedTest
  @ValueSource(strings = {"table3", "fig5", "fig6", "fig7", "fig8"})
  void whatWasNotMeasuredIsSaidAndStaysEmpty(String what) {
    assertThat(reproduce(what)).contains("Nothing of ", " has been measured", "make it with 'walsh bench ");
  }

  @Test
  void whatIsNoResultIsTheUsersToMend() throws Exception {
    Files.writeString(folder.resolve("decode.json"), "{}");
    Outcome.of("reproduce", "table3", "--results", folder, "--out", folder.resolve("out")).isMistake("decode.json is no result");
  }

  @ParameterizedTest
  @CsvSource({"table3,width 128", "fig6,Figure 6"})
  void smallModelsAreMeasuredAtOnce(String what, String said) {
    var shown = Outcome.of("reproduce", what, "--scale", "smoke", "--out", folder, "--device", "cpu", "--threads", 1).text();
    assertThat(shown).contains(said, "Hadamard is").doesNotContain("not measured", "Nothing of");
  }
}
