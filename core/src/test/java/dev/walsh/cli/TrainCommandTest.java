package dev.walsh.cli;

import dev.walsh.tensor.Device;
import dev.walsh.train.MetricsLog;
import dev.walsh.train.TinyRun;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

final class TrainCommandTest {
  private static final String MODEL = """
      {"layers": 1, "width": 24, "heads": 2, "hidden": 64, "context": 16, "vocabulary": 257,
       "projection": {"mix": "hadamard", "alpha": true, "beta": true}}""";
  @TempDir
  static Path folder;

  private static Path model() throws Exception {
    return Files.writeString(folder.resolve("model.json"), MODEL);
  }

  @Test
  void trainsAModelOfAFileAndSaysWhatComesNext() throws Exception {
    var run = folder.resolve("run");
    var text = Outcome.of("train", "--model", model(), "--data", TinyRun.data(folder), "--out", run, "--tokens", "2K", "--device", "cpu",
        "--batch-tokens", "64").text();
    assertThat(text).contains("Done: 32 steps").contains("walsh generate " + run);
    assertThat(MetricsLog.read(run).getLast().validationLoss()).isNotNull();
    Outcome.of("train", "--model", model(), "--data", TinyRun.data(folder), "--out", run).isMistake("holds a run already", "--resume");
    Outcome.of("train", "--out", run, "--resume", "--lr", "1").isMistake("leave out the options");
    assertThat(Outcome.of("train", "--out", run, "--resume", "--device", "cpu").text()).contains("Done: 32 steps");
  }

  @Test
  void aDryRunWritesNothing() throws Exception {
    var run = folder.resolve("dry");
    var outcome = Outcome.of("train", "--model", "124M", "--projection", "hadamard", "--data", TinyRun.data(folder), "--out", run,
        "--dry-run", "--device", "cpu");
    assertThat(outcome.status()).as(outcome.err()).isZero();
    assertThat(outcome.err()).contains("hadamard, 12 layers, width 768, 12 heads").contains("steps").contains("MiB");
    assertThat(run).doesNotExist();
  }

  @Test
  void mistakesAreOneSentenceAndStatusTwo() throws Exception {
    var data = TinyRun.data(folder);
    var out = folder.resolve("none");
    Outcome.of("train", "--data", data, "--out", out).isMistake("No model was given", "--model nano");
    Outcome.of("train", "--model", "nano", "--out", out).isMistake("No data was given", "walsh prepare");
    Outcome.of("train", "--model", "mini", "--data", data, "--out", out).isMistake("'mini' is unknown", "nano, 124M");
    Outcome.of("train", "--model", "nano", "--projection", "fourier", "--data", data, "--out", out).isMistake("'fourier' is unknown",
        "dense, hadamard, hadamard-folded, identity");
    Outcome.of("train", "--model", "nano", "--data", folder.resolve("nowhere"), "--out", out).isMistake("nowhere", "walsh prepare");
    Outcome.of("train", "--model", "nano", "--data", data, "--out", out, "--length", "2000", "--tokens", "9K")
        .isMistake("longer than the model's context of 256");
    Outcome.of("train", "--model", "nano", "--data", data, "--out", out, "--lr", "-1", "--tokens", "9K").isMistake("--lr is -1.0",
        "must be positive");
    Outcome.of("train", "--model", "nano", "--data", data, "--out", out, "--batch-tokens", "100").isMistake("--batch-tokens is 100",
        "multiple of the sequence length 256");
    Outcome.of("train", "--model", "nano", "--data", data, "--out", out, "--device", "tpu").isMistake("--device tpu is unknown", "cuda");
    Outcome.of("train", "--resume", "--out", out).isMistake("run.json", "walsh train");
    assertThat(out).doesNotExist();
  }

  @Test
  void aGpuThatIsNotThereIsSaid() {
    assumeFalse(Device.hasCuda(), "there is a GPU here");
    Outcome.of("train", "--model", "nano", "--data", TinyRun.data(folder), "--out", folder.resolve("gpu"), "--device", "cuda")
        .isMistake("no CUDA device", "walsh doctor", "--device cpu");
  }

  @Test
  void shapesThatCannotBeAreRefusedWithTheirNeighbours() throws Exception {
    var data = TinyRun.data(folder);
    var wide = Files.writeString(folder.resolve("wide.json"), MODEL.replace("\"width\": 24", "\"width\": 52"));
    Outcome.of("train", "--model", wide, "--data", data, "--out", folder.resolve("w")).isMistake("52", "48", "56");
    var heads = Files.writeString(folder.resolve("heads.json"), MODEL.replace("\"heads\": 2", "\"heads\": 5"));
    Outcome.of("train", "--model", heads, "--data", data, "--out", folder.resolve("h")).isMistake("heads.json",
        "heads = 5 does not divide width = 24", "such as 4");
    var typo = Files.writeString(folder.resolve("typo.json"), MODEL.replace("layers", "layer"));
    Outcome.of("train", "--model", typo, "--data", data, "--out", folder.resolve("t")).isMistake("typo.json", "layer");
  }

  /** Killed in the middle of a step, as by Ctrl-C: the step is finished and saved, and --resume goes on. */
  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aSignalStopsTheRunWithACheckpoint() throws Exception {
    var run = folder.resolve("signal");
    var process = start("train", "--model", model().toString(), "--data", TinyRun.data(folder).toString(), "--out", run.toString(),
        "--tokens", "100M", "--device",
        "cpu", "--batch-tokens", "64", "--checkpoint-every", "1000000");
    while (process.isAlive() && (!Files.exists(run.resolve(MetricsLog.FILE)) || Files.size(run.resolve(MetricsLog.FILE)) < 2000))
      Thread.sleep(20);
    process.destroy();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    long step = MetricsLog.read(run).getLast().step();
    assertThat(run.resolve("step-%08d".formatted(step))).isDirectoryContaining("glob:**/manifest.json");
    assertThat(folder.resolve("output.txt")).content().contains("Stopped at step", "walsh train --out " + run + " --resume");
  }

  private static Process start(String... arguments) throws Exception {
    var command = new ArrayList<>(
        List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "--add-modules", "jdk.incubator.vector",
            "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"), "dev.walsh.Walsh"));
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(new File(folder.toFile(), "output.txt")).start();
  }
}
