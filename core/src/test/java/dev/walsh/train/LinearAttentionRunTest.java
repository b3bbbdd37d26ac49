package dev.walsh.train;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.AttentionKind.Hadamard;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Ranks;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import static org.assertj.core.api.Assertions.assertThat;

/** Models of linear attention learn, and their runs are runs like any. */
final class LinearAttentionRunTest {
  @TempDir
  static Path folder;
  private static Path data;

  @BeforeAll
  static void prepare() {
    data = TinyRun.data(folder);
  }

  static List<AttentionKind> kinds() {
    return List.of(new Hadamard(1, 16), new Hadamard(2, 8), new Hadamard(3, 4),
        new AttentionKind.Katharopoulos(), new AttentionKind.CosFormer(), new AttentionKind.Based());
  }

  private static TrainingRun.Outcome run(RunPlan plan, Path out, boolean resume) {
    try (var interruption = Interruption.listen()) {
      return new TrainingRun(plan, out, Device.CPU, Ranks.alone(), 1e12, _ -> {}).run(resume, interruption);
    }
  }

  private static RunPlan plan(ModelConfig model, boolean recompute) {
    return new RunPlan(model, TinyRun.recipe(30), "f32", data.toString(), null, 10, 256, 10, 9, recompute);
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void theLossFallsAndAResumedRunRepeatsItToTheLastBit(AttentionKind kind) throws IOException {
    var model = TinyRun.MODEL.with(Projection.named("hadamard")).with(kind);
    var whole = folder.resolve(kind.toString());
    var outcome = run(plan(model, false), whole, false);
    var first = Objects.requireNonNull(MetricsLog.read(whole).getFirst().loss());
    assertThat(first).isBetween(5.0, 6.0);
    assertThat(outcome.validationLoss()).isLessThan(first - 0.5);

    var cut = TinyRun.copy(whole, folder.resolve("cut " + kind));
    for (var step : List.of("step-00000020", "step-00000030")) TinyRun.delete(cut.resolve(step));
    assertThat(run(plan(model, false), cut, true).step()).isEqualTo(30);
    assertThat(figures(cut)).isEqualTo(figures(whole));
  }

  @Test
  void recomputingChangesNothing() {
    var model = TinyRun.MODEL.with(Projection.named("hadamard")).with(new Hadamard(2, 8));
    var kept = folder.resolve("kept");
    var recomputed = folder.resolve("recomputed");
    assertThat(run(plan(model, false), kept, false).finished()).isTrue();
    assertThat(run(plan(model, true), recomputed, false).finished()).isTrue();
    assertThat(figures(recomputed)).isEqualTo(figures(kept));
  }

  private static List<List<Object>> figures(Path run) {
    var figures = new ArrayList<List<Object>>();
    for (var m : MetricsLog.read(run)) {
      figures.add(Arrays.asList(m.step(), m.tokens(), m.loss(), m.learningRate(), m.gradientNorm(), m.validationLoss()));
    }
    return figures;
  }
}
