package dev.walsh.train;

import dev.walsh.config.TrainConfig;
import dev.walsh.config.UserError;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Ranks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class TrainingRunTest {
  @TempDir
  static Path folder;
  private static Path data;
  private final List<String> warnings = new ArrayList<>();

  @BeforeAll
  static void prepare() {
    data = TinyRun.data(folder);
  }

  private TrainingRun.Outcome run(RunPlan plan, Path out, boolean resume) {
    try (var interruption = Interruption.listen()) {
      return new TrainingRun(plan, out, Device.CPU, Ranks.alone(), 1e12, warnings::add).run(resume, interruption);
    }
  }

  @ParameterizedTest
  @CsvSource({"dense,f32", "hadamard,f32", "hadamard,bf16", "hadamard-folded,f32", "identity,bf16", "signed-hadamard,f32",
      "random-orthogonal,bf16", "padded-hadamard,bf16", "block-diagonal:2,f32", "low-rank,bf16", "hadamard-beta@alpha=1,f32"})
  void aResumedRunRepeatsTheLossesToTheLastBit(String projection, String dtype) throws IOException {
    var plan = TinyRun.plan(data, projection, dtype, 30);
    var whole = folder.resolve("whole-" + projection.replace(':', '-') + dtype);
    assertThat(run(plan, whole, false).finished()).isTrue();

    // As a crash after step 20 would leave it: the log is ahead of the last checkpoint, which is that of step 10.
    var cut = TinyRun.copy(whole, folder.resolve("cut-" + projection.replace(':', '-') + dtype));
    for (var step : List.of("step-00000020", "step-00000030")) TinyRun.delete(cut.resolve(step));
    assertThat(run(plan, cut, true).step()).isEqualTo(30);
    assertThat(figures(cut)).hasSize(33).isEqualTo(figures(whole));
    assertThat(warnings).isEmpty();
  }

  private static List<List<Object>> figures(Path run) {
    var figures = new ArrayList<List<Object>>();
    for (var m : MetricsLog.read(run)) {
      figures.add(Arrays.asList(m.step(), m.tokens(), m.loss(), m.learningRate(), m.gradientNorm(), m.validationLoss()));
    }
    return figures;
  }

  @Test
  void theLossFallsAndTheFinishedRunStaysFinished() {
    var plan = TinyRun.plan(data, "hadamard", "f32", 60);
    var out = folder.resolve("falls");
    var outcome = run(plan, out, false);
    var first = Objects.requireNonNull(MetricsLog.read(out).getFirst().loss());
    assertThat(first).isBetween(5.0, 6.0);
    assertThat(outcome.validationLoss()).isLessThan(first - 1);
    assertThat(run(plan, out, true).step()).as("resumed after the end").isEqualTo(60);
  }

  @Test
  void aDamagedCheckpointIsPassedOver() throws IOException {
    var plan = TinyRun.plan(data, "dense", "f32", 20);
    var out = folder.resolve("damaged");
    run(plan, out, false);
    var weights = out.resolve("step-00000020/model.safetensors");
    var bytes = Files.readAllBytes(weights);
    bytes[bytes.length / 2] ^= 1;
    Files.write(weights, bytes);
    assertThat(run(plan, out, true).step()).isEqualTo(20);
    assertThat(warnings).hasSize(2).allMatch(w -> w.contains("step-00000020"));
  }

  @Test
  void aRunOfAnotherConfigIsRefused() {
    var out = folder.resolve("other");
    run(TinyRun.plan(data, "dense", "f32", 10), out, false);
    assertThatThrownBy(() -> run(TinyRun.plan(data, "hadamard", "f32", 10), out, true)).isInstanceOf(UserError.class)
        .hasMessageContaining("another config").hasMessageContaining("--out");
  }

  @Test
  void aLossThatIsNotFiniteStopsTheRunAndNamesTheLastGoodCheckpoint() {
    var plan = TinyRun.plan(data, "dense", "f32", 400);
    var recipe = plan.training();
    var wild = new TrainConfig(recipe.tokens(), recipe.batchTokens(), recipe.microBatch(), recipe.length(), 1e20, 1, 0.06,
        0.9, 0.95, 0, 1e9, 0);
    var explosive = new RunPlan(plan.model(), wild, "f32", plan.data(), null, 1, 256, 1, 2);
    assertThatThrownBy(() -> run(explosive, folder.resolve("wild"), false)).isInstanceOf(UserError.class)
        .hasMessageContaining("not finite at step")
        .hasMessageContaining("step-0").hasMessageContaining("--lr");
  }
}
