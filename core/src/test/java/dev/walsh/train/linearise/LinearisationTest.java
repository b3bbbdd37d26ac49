package dev.walsh.train.linearise;

import dev.walsh.checkpoint.RunState;
import dev.walsh.checkpoint.Safetensors;
import dev.walsh.config.AttentionKind;
import dev.walsh.config.Projection;
import dev.walsh.config.TrainConfig;
import dev.walsh.tensor.Device;
import dev.walsh.train.Interruption;
import dev.walsh.train.RunPlan;
import dev.walsh.train.TinyRun;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

final class LinearisationTest {
  private static final AttentionKind HLA = new AttentionKind.Hadamard(2, 8);
  @TempDir
  Path folder;

  @Test
  void mapsComeNearerToTheTeacherAndAllElseIsTheTeachers() {
    var run = TinyRun.train(folder, "teacher", Projection.named("hadamard"));
    var teacher = run.resolve("step-00000006");
    var before = RunPlan.read(run);
    var kind = AttentionKind.of(List.of(new AttentionKind.Softmax(), HLA));
    var plan = new RunPlan(before.model().with(kind), before.training(), "f32", before.data(), null, 2, 160, 2, 9, false);
    var matching = new TrainConfig(60 * 64, 64, 4, 16, 1e-2, 0, 0.1, 0.9, 0.95, 0, 1, 7);
    var out = folder.resolve("linear");
    Linearisation.Report report;
    try (var interruption = Interruption.listen()) {
      report = requireNonNull(new Linearisation(teacher, plan, List.of(1), matching).run(out, Device.CPU, interruption, _ -> {}));
    }
    var layer = report.layers().getFirst();
    assertThat(report.layers()).hasSize(1);
    assertThat(layer.layer()).isEqualTo(1);
    assertThat(layer.differenceAfter()).isLessThan(0.9 * layer.differenceBefore());
    assertThat(report.replacedLoss()).as("one layer is all that was replaced").isCloseTo(layer.lossBefore(), within(1e-5));
    assertThat(report.matchedLoss()).isCloseTo(layer.lossAfter(), within(1e-5));
    assertThat(RunPlan.read(out)).isEqualTo(plan);
    var made = out.resolve("step-00000000");
    assertThat(RunState.read(made).model()).isEqualTo(plan.model());
    try (var old = Safetensors.open(teacher.resolve(RunState.WEIGHTS)); var all = Safetensors.open(made.resolve(RunState.WEIGHTS))) {
      old.tensors().forEach((name, tensor) -> assertThat(tensor.equal(requireNonNull(all.tensors().get(name)))).as(name).isTrue());
      assertThat(all.tensors().keySet()).anyMatch(name -> name.startsWith("h.1.attn.hla."))
          .noneMatch(name -> name.startsWith("h.0.attn.hla."));
    }
  }

  @Test
  void whatIsRecoveredIsAShareOfTheWay() {
    assertThat(LayerReport.recovered(4, 2.5, 2)).isEqualTo(0.75);
    assertThat(LayerReport.recovered(2, 2.5, 2)).isNull();
  }
}
