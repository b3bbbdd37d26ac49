package dev.walsh.cli;

import dev.walsh.train.TinyRun;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;

final class CompareCommandTest {
  private static final String MODEL = """
      {"layers": 1, "width": 24, "heads": 2, "hidden": 64, "context": 16, "vocabulary": 257,
       "projection": {"mix": "dense", "alpha": false, "beta": false}}""";
  @TempDir
  static Path folder;

  @Test
  void aTextIsComparedOnAndLeavesTableReportAndRuns() throws Exception {
    var model = Files.writeString(folder.resolve("model.json"), MODEL);
    var text = Files.writeString(folder.resolve("words.txt"), "some words of a text, again and again. ".repeat(3000));
    var out = folder.resolve("out");
    var shown = Outcome.of("compare", "--data", text, "--model", model, "--arms", "hadamard,low-rank:4", "--tokens", "4K", "--batch-tokens",
        "64", "--out", out, "--device", "cpu", "--lr", "0.003").text();
    assertThat(shown).contains("dense", "hadamard", "low-rank:4", "── hadamard writes ──").contains("the noise of this setup is not known")
        .contains("Report: " + out.resolve("report.html"));
    assertThat(out.resolve("report.html")).content().contains("<svg").doesNotContain("src=\"http", "href=\"http", "url(http");
    assertThat(out.resolve("low-rank-4")).isDirectoryContaining("glob:**/step-*");
    assertThat(out.resolve("hadamard")).isDirectoryContaining("glob:**/metrics.jsonl").isDirectoryContaining("glob:**/step-*");
    Outcome.of("compare", "--data", text, "--model", model, "--out", out).isMistake("holds a comparison already", "--out");
    assertThat(Outcome.of("info", out.resolve("hadamard")).text()).contains("hadamard");
  }

  @Test
  void mistakesAreOneSentenceAndStatusTwo() {
    var data = TinyRun.data(folder);
    var out = folder.resolve("none");
    Outcome.of("compare", "--data", data, "--out", out, "--arms", "dense,fourier").isMistake("'fourier' is unknown");
    Outcome.of("compare", "--data", data, "--out", out, "--arms", "hadamard,hadamard").isMistake("names one arm twice");
    Outcome.of("compare", "--data", data, "--out", out, "--minutes", "0").isMistake("--minutes is 0.0");
    Outcome.of("compare", "--data", data, "--out", out, "--seeds", "0").isMistake("--seeds is 0");
    assertThat(out).doesNotExist();
  }
}
