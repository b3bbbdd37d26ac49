package dev.walsh.train;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.config.TrainConfig;
import dev.walsh.data.Dataset;
import dev.walsh.data.Loader;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Ranks;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** What is said of a device without memory, by an exception as libtorch throws it. */
final class DemandTest {
  private static final String SAID = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.18 GiB";

  /** 757M in passes of 64 of a step of 512 sequences: by the footprint 89 GiB, and 68 with recomputation. */
  private static Demand of(double roomGib, boolean recompute) {
    var recipe = new TrainConfig(1L << 30, 512 * 1024, 64, 1024, 1e-3, 0.1, 0, 0.9, 0.95, 0.1, 1, 0);
    return new Demand(ModelConfig.parse("757M"), recipe, 1, Device.CUDA, Dtype.BF16, Execution.GRAPH.recomputing(recompute),
        Math.round(roomGib * (1 << 30)), 100L << 30);
  }

  private static String message(double roomGib, boolean recompute) {
    var shortage = of(roomGib, recompute).orShortage(new RuntimeException(SAID));
    assertThat(shortage).isInstanceOf(OutOfDeviceMemory.class);
    return String.valueOf(shortage.getMessage());
  }

  @Test
  void theMessageSaysWhatWasAskedAndWhatWouldFit() {
    assertThat(message(79.2, false))
        .isEqualTo("Training 24 layers of width 1,536 (dense) by passes of 64 × 1,024 tokens takes about 88.8 GiB, "
            + "but the device had 79.2 GiB free of 100.0 GiB; give passes of 32 (--micro-batch; of bench train, --batch), or add --recompute");
    assertThat(message(30, false)).contains("give passes of 8 (").contains(", or give passes of 16 (").endsWith("and --recompute");
    assertThat(message(79.2, true)).contains("with recomputation takes more than the 67.8 GiB computed").contains("give passes of 32 (")
        .doesNotContain("--recompute");
    assertThat(message(10, false)).contains("even one sequence a pass takes 15.6 GiB with --recompute, so choose a smaller --model");
  }

  /** Others may hold what the estimate counts on: the same is never advised again. */
  @Test
  void whatFailedIsNotAdvised() {
    assertThat(message(100, false)).contains("give passes of 32 (").contains("add --recompute").doesNotContain("passes of 64 (");
  }

  @ParameterizedTest
  @ValueSource(strings = {SAID, "CUDA error 2: out of memory", "cuBLASLt error 3: CUBLAS_STATUS_ALLOC_FAILED",
      "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"})
  void itIsKnownByItsWords(String said) {
    assertThatThrownBy(() -> of(60, false).meet(() -> {
      throw new IllegalStateException("in backward", new RuntimeException(said));
    })).isInstanceOf(OutOfDeviceMemory.class).hasRootCauseMessage(said);
  }

  @Test
  void otherFaultsPassUnchanged() {
    var fault = new IllegalStateException("CUDA error 700: an illegal memory access was encountered");
    assertThat(of(60, false).orShortage(fault)).isSameAs(fault);
  }

  /** A pass of terabytes fails, says so, and leaves the GPU to a smaller one. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aGpuWithoutMemoryIsNoInternalFault(boolean graph, @TempDir Path folder) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    var shape = new ModelConfig(12, 768, 12, 2048, 16, 257, Projection.named("hadamard"));
    try (var data = Dataset.open(TinyRun.data(folder))) {
      for (int batch : new int[] {1 << 19, 8}) {
        var recipe = new TrainConfig(1L << 40, batch * 16, batch, 16, 1e-3, 0.1, 0, 0.9, 0.95, 0.1, 1, 0);
        try (var trainer = new Trainer(shape, recipe, Loader.shuffled(data.train(), 16, 0), Device.CUDA, Dtype.BF16,
            new Execution(graph, false), Ranks.alone())) {
          if (batch == 8) {
            for (int i = 0; i < 3; i++) assertThat(trainer.step().loss()).isBetween(1.0, 7.0);
          } else {
            assertThatThrownBy(trainer::step).isInstanceOf(OutOfDeviceMemory.class).hasMessageContaining("passes of 524288 × 16 tokens")
                .hasMessageContaining("give passes of ");
          }
        }
      }
    }
  }
}
