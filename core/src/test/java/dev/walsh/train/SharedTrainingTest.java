package dev.walsh.train;

import dev.walsh.config.Projection;
import dev.walsh.config.TrainConfig;
import dev.walsh.config.UserError;
import dev.walsh.data.Dataset;
import dev.walsh.data.Loader;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.LivePointers;
import dev.walsh.tensor.Ranks;
import dev.walsh.tensor.Together;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

/** A run is the same function of its recipe whatever the number of ranks that share it. */
final class SharedTrainingTest {
  private static final int STEPS = 6;

  @TempDir
  static Path folder;
  private static Path text;

  @BeforeAll
  static void prepare() {
    text = TinyRun.data(folder);
  }

  /** Eight sequences of 16 in a step, in passes of {@code micro}. */
  private static TrainConfig recipe(int steps, int micro) {
    return new TrainConfig(steps * 128L, 128, micro, 16, 3e-3, 0.1, 0.1, 0.9, 0.95, 0.1, 1, 5);
  }

  /** Loss and gradient norm of each step, then a validation loss. */
  private static List<Double> figures(Ranks ranks, Dtype dtype, int micro) {
    var figures = new ArrayList<Double>();
    try (var data = Dataset.open(text);
        var trainer = new Trainer(TinyRun.MODEL.with(Projection.named("hadamard")), recipe(STEPS, micro),
            Loader.shuffled(data.train(), 16, 0), Device.CPU, dtype, Execution.PLAIN, ranks)) {
      for (int i = 0; i < STEPS; i++) {
        var report = trainer.step();
        figures.add(report.loss());
        figures.add(report.gradientNorm());
      }
      figures.add(trainer.validate(Trainer.validationLoader(data, 16), 700));
    }
    return figures;
  }

  @ParameterizedTest
  @CsvSource({"2,F32,8,2e-6", "2,F32,1,2e-6", "4,F32,2,2e-6", "2,BF16,2,1e-2"})
  void anyNumberOfRanksGivesTheSameLosses(int size, Dtype dtype, int micro, double tolerance) {
    var alone = figures(Ranks.alone(), dtype, micro);
    var shared = Together.run(size, ranks -> figures(ranks, dtype, micro));
    for (var rank : shared) assertThat(rank).isEqualTo(shared.getFirst());
    for (int i = 0; i < alone.size(); i++)
      assertThat(shared.getFirst().get(i)).as("figure %d", i).isCloseTo(alone.get(i), offset(tolerance));
    assertThat(Together.run(size, ranks -> figures(ranks, dtype, micro))).as("repeated").isEqualTo(shared);
  }

  @Test
  void aWishToStopOfAnyRankIsKnownToAll() {
    var stops = Together.run(3, ranks -> {
      var seen = new ArrayList<Boolean>();
      var sixth = new TrainConfig(960, 96, 2, 16, 3e-3, 0.1, 0.1, 0.9, 0.95, 0.1, 1, 5);
      try (var data = Dataset.open(text);
          var trainer = new Trainer(TinyRun.MODEL, sixth, Loader.shuffled(data.train(), 16, 0), Device.CPU, Dtype.F32, Execution.PLAIN,
              ranks)) {
        for (int i = 0; i < 4; i++) seen.add(trainer.step(i == 2 && ranks.rank() == 1).stopping());
      }
      return seen;
    });
    assertThat(stops).allSatisfy(seen -> assertThat(seen).containsExactly(false, false, true, false));
  }

  @Test
  void aRunOfTwoRanksGoesOnWithOneOrFour() throws IOException {
    var plan = new RunPlan(TinyRun.MODEL, recipe(20, 2), "f32", text.toString(), null, 10, 256, 10, 9, false);
    var whole = folder.resolve("whole");
    train(plan, whole, Ranks.alone(), false);
    for (int then : new int[] {1, 4}) {
      var run = folder.resolve("two-then-" + then);
      Together.run(2, ranks -> train(plan, run, ranks, false));
      cut(run);
      if (then == 1) {
        train(plan, run, Ranks.alone(), true);
      } else {
        Together.run(then, ranks -> train(plan, run, ranks, true));
      }
      assertSameLosses(MetricsLog.read(run), MetricsLog.read(whole));
    }
  }

  /** As a crash after step 15 would leave it: the last checkpoint is that of step 10. */
  private static void cut(Path run) throws IOException {
    TinyRun.delete(run.resolve("step-00000020"));
  }

  private static TrainingRun.Outcome train(RunPlan plan, Path run, Ranks ranks, boolean resume) {
    try (var interruption = Interruption.listen()) {
      return new TrainingRun(plan, run, Device.CPU, ranks, 1e12, warning -> assertThat(warning).isEmpty()).run(resume, interruption);
    }
  }

  private static void assertSameLosses(List<Metric> found, List<Metric> wanted) {
    assertThat(found).hasSameSizeAs(wanted);
    for (int i = 0; i < found.size(); i++) {
      var loss = found.get(i).loss() == null ? found.get(i).validationLoss() : found.get(i).loss();
      var other = wanted.get(i).loss() == null ? wanted.get(i).validationLoss() : wanted.get(i).loss();
      assertThat(loss).as("line %d", i).isCloseTo(other, offset(2e-6));
    }
  }

  @Test
  void stepsLeaveNothingBehind() {
    int steps = 40;
    var grown = Together.run(2, ranks -> {
      try (var data = Dataset.open(text);
          var trainer = new Trainer(TinyRun.MODEL, recipe(steps + 6, 2), Loader.shuffled(data.train(), 16, 0), Device.CPU, Dtype.F32,
              Execution.PLAIN, ranks)) {
        for (int i = 0; i < 5; i++) trainer.step();
        // Rank 1 waits in the middle of the next step at both counts.
        long before = ranks.isFirst() ? LivePointers.count() : 0;
        for (int i = 0; i < steps; i++) trainer.step();
        long after = ranks.isFirst() ? LivePointers.count() : 0;
        trainer.step();
        return after - before;
      }
    });
    assertThat(grown.getFirst()).as("live pointers after %d steps more", steps).isLessThan(steps);
  }

  @Test
  void aBatchThatCannotBeSharedIsRefusedWithSizesThatCan() {
    assertThatThrownBy(() -> Share.of(recipe(1, 2), 0, 3)).isInstanceOf(UserError.class)
        .hasMessage("A step of --batch-tokens 128 has 8 sequences of 16, which 3 ranks cannot share; give --batch-tokens 96 or 144");
    assertThatThrownBy(() -> Share.of(recipe(1, 2), 0, 16)).hasMessageEndingWith("give --batch-tokens 256");
    assertThat(Share.of(recipe(1, 8), 1, 4)).isEqualTo(new Share(1, 4, 2, 2));
  }
}
