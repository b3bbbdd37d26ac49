package dev.walsh.tensor;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

final class NvrtcTest {
  private static final int[] KNOWN = {75, 80, 86, 89, 90, 100, 120};

  @Test
  void aGpuThatTheCompilerKnowsGetsItsOwnCode() {
    assertThat(Nvrtc.Target.of(90, KNOWN).option()).isEqualTo("--gpu-architecture=sm_90");
  }

  @Test
  void aNewerGpuGetsTheNewestPtxBeforeIt() {
    assertThat(Nvrtc.Target.of(130, KNOWN).option()).isEqualTo("--gpu-architecture=compute_120");
    assertThat(Nvrtc.Target.of(103, KNOWN).option()).isEqualTo("--gpu-architecture=compute_100");
  }

  @Test
  void anOlderGpuHasNone() {
    assertThatThrownBy(() -> Nvrtc.Target.of(70, KNOWN)).isInstanceOf(KernelUnavailable.class)
        .hasMessage("NVRTC compiles for compute capability 7.5 and newer, and the GPU has 7.0");
  }

  @Test
  void withoutTheCompilerAKernelIsUnavailable() {
    assumeFalse(Device.hasCuda(), "there is a GPU here");
    assertThatThrownBy(() -> CudaModule.compile("empty.cu", "", Map.of(), List.of())).isInstanceOf(KernelUnavailable.class)
        .hasMessageStartingWith("CUDA's run-time compiler NVRTC does not load (");
  }

  @Test
  void aTextThatDoesNotCompileIsUnavailableAndAGoodOneRuns() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    assertThatThrownBy(() -> CudaModule.compile("bad.cu", "int f( {}", Map.of(), List.of())).isInstanceOf(KernelUnavailable.class)
        .hasMessageStartingWith("NVRTC does not compile bad.cu with [--gpu-architecture=");
    var text = "#include \"by.cu\"\nextern \"C\" __constant__ int times = BY;\n"
        + "extern \"C\" __global__ void scale(float* x) { x[threadIdx.x] *= BY; }";
    var module = CudaModule.compile("good.cu", text, Map.of("by.cu", "#define BY FACTOR"), List.of("-DFACTOR=3"));
    assertThat(module.constant("times")).isEqualTo(3);
    var kernel = module.kernel("scale", 0);
    try (var scope = Scope.withoutGradients()) {
      var x = Memory.tensor(new double[] {1, 2, 3}, 3).to(Device.CUDA.options(Dtype.F32), false, false, null);
      kernel.launch(1, 2, CudaModule.argument(x));
      assertThat(x.select(0, 0).item_double()).isEqualTo(3);
      assertThat(x.select(0, 1).item_double()).isEqualTo(6);
      assertThat(x.select(0, 2).item_double()).isEqualTo(3);
    }
    assertThatThrownBy(() -> module.kernel("scale", 1 << 30)).isInstanceOf(KernelUnavailable.class)
        .hasMessageContaining("bytes of shared memory");
  }
}
