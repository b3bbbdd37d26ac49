package dev.walsh.kernels.wht;

import dev.walsh.config.UserError;
import dev.walsh.kernels.wht.Wht.Direction;
import dev.walsh.tensor.CudaGraph;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** The GPU's kernels keep the contract of the CPU's. */
final class CudaWhtTest extends WhtTensorContract {
  @Override
  Wht create(HadamardFactors factors) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    return Wht.create(factors, Device.CUDA);
  }

  @Override
  Device device() {
    return Device.CUDA;
  }

  @Override
  boolean takes(Dtype dtype) {
    return dtype != Dtype.F64;
  }

  @Test
  void float64IsRefusedInASentence() {
    var wht = create(HadamardFactors.of(12, 1));
    try (var scope = Scope.withoutGradients()) {
      var rows = torch.zeros(new long[] {2, 12}, Device.CUDA.options(Dtype.F64));
      assertThatThrownBy(() -> wht.transform(rows, rows, Direction.FORWARD)).isInstanceOf(UserError.class)
          .hasMessage("The transform on the GPU takes f32, bf16 and f16, not f64: convert the rows or use the CPU.");
    }
  }

  @Test
  void aTensorOfTheCpuIsRefusedInASentence() {
    var wht = create(HadamardFactors.of(12, 1));
    try (var scope = Scope.withoutGradients()) {
      var rows = torch.zeros(2, 12);
      assertThatThrownBy(() -> wht.transform(rows, rows, Direction.FORWARD)).isInstanceOf(UserError.class)
          .hasMessage("The transform runs on cuda but a tensor lies elsewhere: move it there first.");
    }
  }

  @Test
  void rowsTooWideForAMultiprocessorAreRefusedInASentence() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    assertThatThrownBy(() -> Wht.create(HadamardFactors.of(HadamardOrder.of(1 << 17)), Device.CUDA)).isInstanceOf(UserError.class)
        .hasMessageContaining("bytes of shared memory for rows so wide").hasMessageEndingWith(": mend that, or transform on the CPU.");
  }

  @Test
  void coresTooGreatForAThreadAreRefusedInASentence() {
    assertThatThrownBy(() -> Wht.create(HadamardFactors.of(HadamardOrder.of(216)), Device.CUDA)).isInstanceOf(UserError.class)
        .hasMessage("The transform of width 216 cannot run on this GPU, since the kernels of the GPU take Paley cores up to order 84 and"
            + " the matrix has one of 108: mend that, or transform on the CPU.");
  }

  @Test
  void aGraphCapturesIt() {
    var wht = create(HadamardFactors.of(768, 12));
    try (var scope = Scope.withoutGradients()) {
      var in = torch.randn(new long[] {100, 768}, Device.CUDA.options(Dtype.BF16));
      var out = torch.empty_like(in);
      var again = torch.empty_like(in);
      Runnable work = () -> wht.transform(in, out, Direction.FORWARD);
      CudaGraph.warmUp(work);
      try (var graph = CudaGraph.capture(work)) {
        in.copy_(torch.randn(new long[] {100, 768}, Device.CUDA.options(Dtype.BF16)));
        graph.replay();
        wht.transform(in, again, Direction.FORWARD);
        assertThat(torch.equal(out, again)).isTrue();
      }
    }
  }

  @Test
  void withoutAGpuASentenceSaysWhatIsMissing() {
    assumeFalse(Device.hasCuda(), "there is a GPU here");
    assertThatThrownBy(() -> Wht.create(HadamardFactors.of(12, 1), Device.CUDA)).isInstanceOf(UserError.class)
        .hasMessageStartingWith("The transform of width 12 cannot run on this GPU, since CUDA's run-time compiler NVRTC does not load (")
        .hasMessageEndingWith("): mend that, or transform on the CPU.");
  }
}
