package dev.walsh.train;

import dev.walsh.config.Projection;
import dev.walsh.data.Dataset;
import dev.walsh.data.Loader;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Ranks;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** Steps as a graph of the GPU, and the losses that no change of the program may move. */
final class StepRunnerTest {
  @TempDir
  static Path folder;
  private static Path text;

  @BeforeAll
  static void prepare() {
    text = TinyRun.data(folder);
  }

  private static List<Double> losses(String projection, Device device, Dtype dtype, Execution execution, int steps) {
    var losses = new ArrayList<Double>();
    try (var data = Dataset.open(text);
        var trainer = new Trainer(TinyRun.MODEL.with(Projection.named(projection)), TinyRun.recipe(steps),
            Loader.shuffled(data.train(), 16, 0), device, dtype, execution, Ranks.alone())) {
      for (int i = 0; i < steps; i++) losses.add(trainer.step().loss());
    }
    return losses;
  }

  @ParameterizedTest
  @CsvSource({"dense,F32,1e-5", "hadamard,F32,1e-5", "hadamard,BF16,2e-3", "random-orthogonal,BF16,2e-3",
      "padded-hadamard,BF16,2e-3", "block-diagonal:2,BF16,2e-3", "low-rank,BF16,2e-3"})
  void aGraphAndItsOperatorsGiveTheSameLosses(String projection, Dtype dtype, double tolerance) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    var plain = losses(projection, Device.CUDA, dtype, Execution.PLAIN, 20);
    var graph = losses(projection, Device.CUDA, dtype, Execution.GRAPH, 20);
    for (int i = 0; i < plain.size(); i++) assertThat(graph.get(i)).as("step %d", i).isCloseTo(plain.get(i), offset(tolerance));
    assertThat(graph.getLast()).isLessThan(graph.getFirst() - 0.1);
  }

  /** Recorded once, in float32 on a CPU; a change of the model, the initial values, the optimizer or the order of the data moves them. */
  @Test
  void theFirstTenLossesStayWhatTheyWere() {
    assertGolden("dense", 5.80137, 5.72633, 5.59741, 5.45910, 5.33919, 5.27519, 5.22540, 5.21518, 5.12590, 5.11824);
    assertGolden("hadamard", 5.80039, 5.69780, 5.55488, 5.42788, 5.31208, 5.24579, 5.20457, 5.19644, 5.09904, 5.09355);
  }

  private static void assertGolden(String projection, double... golden) {
    var losses = losses(projection, Device.CPU, Dtype.F32, Execution.PLAIN, 10);
    assertThat(losses.stream().mapToDouble(Double::doubleValue).toArray()).as(projection).containsExactly(golden, offset(1e-4));
  }
}
