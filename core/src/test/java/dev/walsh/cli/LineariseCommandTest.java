package dev.walsh.cli;

import dev.walsh.config.Json;
import dev.walsh.config.Projection;
import dev.walsh.train.TinyRun;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

final class LineariseCommandTest {
  @TempDir
  static Path folder;
  private static Path teacher = Path.of("");

  @BeforeAll
  static void train() {
    teacher = folder.resolve("teacher");
    var unused = Outcome.of("train", "--model", model(), "--data", TinyRun.data(folder), "--out", teacher, "--tokens", "32K", "--device",
        "cpu",
        "--batch-tokens", "512", "--micro-batch", "32", "--projection", "hadamard", "--lr", "1e-2", "--dtype", "f32", "--val-tokens", "2K")
        .text();
  }

  private static Path model() {
    try {
      return Files.write(folder.resolve("model.json"), Json.PRETTY.writeValueAsBytes(TinyRun.MODEL.with(Projection.named("dense"))));
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private static Outcome linearise(Path out, Object... more) {
    Object[] options = {"linearise", teacher, "--out", out, "--device", "cpu", "--dtype", "f32", "--match-tokens", "16K"};
    var all = Arrays.copyOf(options, options.length + more.length);
    System.arraycopy(more, 0, all, options.length, more.length);
    return Outcome.of(all);
  }

  private static JsonNode last(Outcome outcome) {
    return Json.LINE.readTree(outcome.text().lines().filter(line -> line.startsWith("{")).findFirst().orElseThrow());
  }

  @Test
  void mapsComeNearerToTheTeacherAndTheRestStaysUntilItIsTuned() {
    var out = folder.resolve("linear");
    var outcome = linearise(out, "--attention", "hla:2x16", "--tune-tokens", "8K");
    assertThat(outcome.err()).contains("hadamard, hla of 2 factors of rank 16", "Each layer replaced by itself");
    var report = last(outcome).get("report");
    assertThat(report.get("layers")).hasSize(2).allSatisfy(layer -> {
      assertThat(layer.get("differenceAfter").asDouble()).isLessThan(layer.get("differenceBefore").asDouble());
      assertThat(layer.get("lossAfter").asDouble()).isCloseTo(report.get("teacherLoss").asDouble(), within(0.1));
    });
    assertThat(last(outcome).get("tunedLoss").asDouble()).isLessThan(report.get("matchedLoss").asDouble());
    assertThat(out.resolve("linearise.json")).content().contains("teacherLoss");
  }

  @ParameterizedTest
  @ValueSource(strings = {"hla:1x8", "katharopoulos"})
  void aRunOfSomeLayersIsLikeAnyOther(String name) {
    var out = folder.resolve("some-" + name.length());
    linearise(out, "--attention", name, "--layers", "1").text();
    assertThat(Outcome.of("info", out).text()).contains("softmax in layer 0, " + name + " in layer 1");
    assertThat(Outcome.of("generate", out, "--prompt", "line", "--tokens", 10, "--temperature", 0, "--device", "cpu").text())
        .startsWith("line");
    assertThat(Outcome.of("train", "--out", out, "--resume", "--device", "cpu").text()).contains("Done: ");
    Outcome.of("export", out, "--out", folder.resolve("never")).isMistake("the model's attention is softmax in layer 0");
    Outcome.of("linearise", out, "--layers", "all", "--out", folder.resolve("never")).isMistake("layer 1 of", "already");
    assertThat(folder.resolve("never")).doesNotExist();
  }

  @Test
  void mistakesAreOneSentence() {
    var out = folder.resolve("none");
    linearise(out, "--layers", "0-2").isMistake("--layers 0-2 does not lie in the model's layers 0-1");
    linearise(out, "--layers", "one").isMistake("--layers one is no list of layers");
    linearise(out, "--attention", "softmax").isMistake("--attention softmax is no linear attention");
    linearise(out, "--factors", "3", "--rank", "512", "--attention", "hla").isMistake("bytes a head", "lower the ranks");
    linearise(teacher).isMistake("holds a run already");
    linearise(out, "--tune-tokens", "0").isMistake("--tokens is 0");
    Outcome.of("linearise", folder, "--out", out).isMistake("Cannot read", "run.json");
    assertThat(out).doesNotExist();
  }
}
