package dev.walsh.tensor;

import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.global.torch;
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

  @Test
  void aKernelLaunchesFromAnyThread() throws Exception {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    var module = CudaModule.compile("count.cu", "extern \"C\" __global__ void count(int* x, long long by) { atomicAdd(x + by, by); }",
        Map.of(), List.of());
    var kernel = module.kernel("count", 0);
    try (var scope = Scope.withoutGradients()) {
      var counts = torch.zeros(new long[] {4}, Device.CUDA.options(Dtype.I64));
      torch.cuda_synchronize();
      long address = CudaModule.argument(counts);
      var threads = IntStream.range(1, 4).mapToObj(by -> Thread.ofPlatform().start(() -> {
        for (int i = 0; i < 1000; i++) kernel.launch(1, 1, address, 2 * by);
      })).toList();
      for (var thread : threads) thread.join();
      torch.cuda_synchronize();
      for (int by = 1; by < 4; by++) assertThat(counts.select(0, by).item_long()).isEqualTo(2000L * by);
    }
  }
}
