package dev.walsh.measure;

import java.util.List;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

final class GpuTest {
  @Test
  void readsWhatTheDriverSays() {
    var gpus = Gpu.read(List.of("NVIDIA H100 80GB HBM3, 81559, 580.65.06, 9.0", "Tesla T4, 15360, 580.65.06, 7.5"));
    assertThat(gpus).extracting(Gpu::name).containsExactly("NVIDIA H100 80GB HBM3", "Tesla T4");
    assertThat(gpus.getFirst().memoryBytes()).isEqualTo(81559L << 20);
    assertThat(gpus.getFirst().driverMajor()).isEqualTo(580);
    assertThat(gpus).extracting(Gpu::nativeBf16).containsExactly(true, false);
  }

  @Test
  void linesOfAnotherShapeAreNoGpus() {
    assertThat(Gpu.read(List.of("", "No devices were found", "GPU, [N/A], 580, 9.0"))).isEmpty();
  }
}
