package dev.walsh.train;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.Json;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.config.TrainConfig;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

final class FootprintTest {
  private static final Path MEASURED = Path.of("..", "results", "h100", "train.json");

  private static TrainConfig recipe(int batch, int passes) {
    int length = 1024;
    return new TrainConfig(1L << 30, batch * length, batch / passes, length, 1e-3, 0.1, 0, 0.9, 0.95, 0.1, 1, 0);
  }

  private static Footprint of(String model, String projection, TrainConfig recipe, int ranks, boolean recompute) {
    var shape = ModelConfig.parse(model).with(Projection.named(projection));
    return Footprint.of(shape, recipe, ranks, Device.CUDA, Dtype.BF16, Execution.GRAPH.recomputing(recompute));
  }

  /** What the GPU held at the end of each measured benchmark. */
  @Test
  void itIsWhatTheGpuHeld() {
    var rows = Json.LINE.readTree(MEASURED.toFile()).get("rows");
    assertThat(rows).isNotEmpty();
    for (JsonNode row : rows) {
      var model = row.get("model").asString();
      var projection = row.get("projection").asString();
      boolean recompute = row.path("recompute").asBoolean(false);
      var computed = of(model, projection, recipe(row.get("batch").asInt(), 1), 1, recompute);
      assertThat(computed.total() / (double) (1 << 20)).as(model + " " + projection).isCloseTo(row.get("memoryMib").asDouble(),
          withinPercentage(10));
    }
  }

  @ParameterizedTest
  @CsvSource({"dense", "hadamard"})
  void recomputingKeepsNeitherTwoNormsNorAnMlpsHiddenChannels(String projection) {
    var recipe = recipe(16, 1);
    var shape = ModelConfig.parse("757M");
    long saved = of("757M", projection, recipe, 1, false).total() - of("757M", projection, recipe, 1, true).total();
    assertThat(saved).isEqualTo(2L * 16 * 1024 * shape.layers() * (2 * shape.width() + shape.hidden()));
  }

  @Test
  void moreRanksHoldBucketsAndMorePassesHoldSums() {
    long weights = of("124M", "dense", recipe(32, 1), 1, false).gradients() / 2;
    assertThat(of("124M", "dense", recipe(32, 2), 1, false).gradients()).isEqualTo(6 * weights);
    assertThat(of("124M", "dense", recipe(32, 1), 2, false).gradients()).isEqualTo(4 * weights);
    assertThat(of("124M", "dense", recipe(32, 4), 2, false).gradients()).isEqualTo(8 * weights);
  }

  /** Each feature in float32 before its nonlinearity and after it, and in bf16 as it is stored, on both sides. */
  @Test
  void linearAttentionKeepsItsFeatures() {
    var shape = ModelConfig.parse("124M");
    var recipe = recipe(8, 1);
    long more = of(shape.with(AttentionKind.named("hla:1x256")), recipe).activations()
        - of(shape.with(AttentionKind.named("hla:1x128")), recipe).activations();
    assertThat(more).isEqualTo(8L * 1024 * shape.layers() * shape.heads() * 2 * 128 * (4 + 4 + 2));
    assertThat(of(shape.with(AttentionKind.named("hla*6/softmax*6")), recipe).activations())
        .isEqualTo((of(shape, recipe).activations() + of(shape.with(AttentionKind.named("hla")), recipe).activations()) / 2);
  }

  private static Footprint of(ModelConfig shape, TrainConfig recipe) {
    return Footprint.of(shape, recipe, 1, Device.CUDA, Dtype.BF16, Execution.GRAPH);
  }
}
