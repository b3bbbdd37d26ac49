package dev.walsh.train;

import dev.walsh.config.Projection;
import dev.walsh.data.Dataset;
import dev.walsh.data.Loader;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.LivePointers;
import dev.walsh.tensor.Ranks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

final class MemoryLeakTest {
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final long MIB = 1 << 20;

  @ParameterizedTest
  @CsvSource({"dense,false", "hadamard,false", "hadamard,true"})
  void stepsLeaveNothingBehind(String projection, boolean recompute, @TempDir Path folder) throws Exception {
    try (var data = Dataset.open(TinyRun.data(folder));
        var trainer = new Trainer(TinyRun.MODEL.with(Projection.named(projection)), TinyRun.recipe(50),
            Loader.shuffled(data.train(), 16, 0), Device.CPU, Dtype.BF16, Execution.PLAIN.recomputing(recompute), Ranks.alone())) {
      for (int i = 0; i < 5; i++) trainer.step();
      long pointers = LivePointers.count();
      long resident = resident();
      for (int i = 5; i < 50; i++) trainer.step();
      assertThat(LivePointers.count()).as("live pointers after step 50").isEqualTo(pointers);
      assumeTrue(resident > 0, "the resident size is only known on Linux");
      assertThat(resident()).as("resident bytes after step 50").isLessThan(resident + 16 * MIB);
    }
  }

  private static long resident() throws IOException {
    if (!Files.exists(STATUS)) return 0;
    var line = Files.readAllLines(STATUS).stream().filter(l -> l.startsWith("VmRSS:")).findFirst().orElseThrow();
    return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
  }
}
