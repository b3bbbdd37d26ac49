package dev.walsh.train;

import dev.walsh.config.Json;
import dev.walsh.tensor.CudaActivity;
import dev.walsh.tensor.CudaActivity.Span;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

final class StepProfileTest {
  private static final Path RECORDED = Path.of("..", "results", "h100", "train-kernels.json");

  /** The sums that the README of the kernels has, of the record that it was made from. */
  @Test
  void aRecordedStepFallsIntoItsGroups() {
    var sums = new EnumMap<KernelGroup, Double>(KernelGroup.class);
    for (var row : Json.LINE.readTree(RECORDED.toFile()).get("rows")) {
      sums.merge(KernelGroup.of(row.get("kernel").asString()), row.get("ms_a_step").asDouble(), Double::sum);
    }
    assertThat(sums.get(KernelGroup.GEMM)).isCloseTo(29.7, offset(0.1));
    assertThat(sums.get(KernelGroup.ATTENTION)).isCloseTo(9.4, offset(0.1));
    assertThat(sums.get(KernelGroup.SWIGLU)).isCloseTo(4.2, offset(0.1));
    assertThat(sums.get(KernelGroup.JOINS)).isCloseTo(3.9 + 0.2, offset(0.1));
    assertThat(sums.get(KernelGroup.CROSS_ENTROPY)).isCloseTo(2.3, offset(0.1));
    assertThat(sums.get(KernelGroup.ROPE)).isCloseTo(2.0, offset(0.1));
    assertThat(sums.get(KernelGroup.OPTIMIZER)).isCloseTo(1.2, offset(0.1));
    assertThat(sums.get(KernelGroup.EMBEDDING)).isCloseTo(0.14, offset(0.05));
    assertThat(sums.get(KernelGroup.OTHER)).isLessThan(0.4);
  }

  @ParameterizedTest
  @CsvSource({"ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>),NCCL",
      "void pytorch_flash::flash_bwd_dq_dk_dv_loop_seqk_parallel_kernel<Flash_bwd_kernel_traits<64>>,ATTENTION",
      "fmha_cutlassF_bf16_aligned_64x64_rf_sm80(PyTorchMemEffAttention),ATTENTION", "sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n,GEMM",
      "void at::native::vectorized_elementwise_kernel<4>,OTHER", "MEMSET,OTHER",
      "void (anonymous namespace)::softmax_warp_forward<float>,CROSS_ENTROPY", "embedding_backward,EMBEDDING", "join_reduce,JOINS"})
  void namesOfOtherLibrariesToo(String kernel, KernelGroup group) {
    assertThat(KernelGroup.of(kernel)).isEqualTo(group);
  }

  @Test
  void gapsAreIdleAndOverlapsAreNot() {
    var profile = StepProfile.of(List.of(new Span("nvjet_a", 5_000_000, 6_000_000), new Span("rope_forward", 1_000_000, 2_000_000),
        new Span("ncclKernel", 1_500_000, 4_000_000), new Span("nvjet_b", 6_000_000, 11_000_000)));
    assertThat(profile.milliseconds()).isEqualTo(10);
    assertThat(profile.idleMilliseconds()).isEqualTo(1);
    assertThat(profile.launches()).isEqualTo(4);
    assertThat(profile.groups()).containsExactly(new StepProfile.Group(KernelGroup.GEMM, 6, 0.6, 2),
        new StepProfile.Group(KernelGroup.NCCL, 2.5, 0.25, 1), new StepProfile.Group(KernelGroup.ROPE, 1, 0.1, 1));
  }

  @Test
  void theGpuRecordsAProduct() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.withoutGradients()) {
      var a = torch.randn(new long[] {512, 512}, Device.CUDA.options(Dtype.BF16));
      a.mm(a);
      var spans = Objects.requireNonNull(CudaActivity.of(() -> a.mm(a)));
      assertThat(spans).isNotEmpty().allMatch(s -> s.end() > s.start());
      assertThat(spans).anyMatch(s -> KernelGroup.of(s.name()) == KernelGroup.GEMM);
      assertThat(Objects.requireNonNull(CudaActivity.of(() -> {}))).isEmpty();
    }
  }
}
