package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** The fused join against the same in libtorch's operators: both outputs and all gradients. */
final class OutputProjectionTest {
  private static final int ROWS = 37;

  @ParameterizedTest
  @CsvSource({"hadamard,F64,24,2,1e-13", "hadamard,F64,96,3,1e-13", "hadamard,F64,320,20,1e-12", "hadamard,F32,256,4,1e-5",
      "hadamard,BF16,256,4,3e-2",
      "hadamard-folded,F64,24,2,1e-13", "hadamard-folded,F64,96,6,1e-13", "hadamard-folded,F32,256,4,1e-5",
      "hadamard-folded,BF16,768,12,3e-2",
      "identity,F64,24,2,1e-13",
      "identity,BF16,256,4,3e-2", "dense,F64,24,2,1e-13", "dense,F32,256,4,1e-5", "dense,BF16,256,4,3e-2",
      "hadamard-alpha,F64,96,3,1e-13", "hadamard-alpha-beta,F64,96,3,1e-13", "signed-hadamard,F64,96,3,1e-13",
      "random-orthogonal,F64,26,1,1e-13", "random-orthogonal-alpha-beta,BF16,96,4,3e-2", "padded-hadamard,F64,24,2,1e-13",
      "padded-hadamard-alpha-beta,F64,300,3,1e-13", "padded-hadamard,F32,768,12,1e-5", "padded-hadamard,BF16,320,4,3e-2",
      "padded-hadamard,F64,256,4,1e-13", "block-diagonal:2,F64,24,2,1e-13", "block-diagonal,BF16,256,4,3e-2",
      "low-rank,F64,24,2,1e-13", "low-rank:7+alpha,F64,24,2,1e-13", "low-rank,BF16,256,4,3e-2"})
  void theFusedJoinIsThePlainOne(String projection, Dtype dtype, int width, int heads, double tolerance) {
    compare(Device.CPU, projection, dtype, width, heads, tolerance);
  }

  @ParameterizedTest
  @CsvSource({"hadamard,F32,24,2,2e-6", "hadamard,F32,1536,16,2e-6", "hadamard,F32,2560,20,2e-6", "hadamard,BF16,768,12,3e-2",
      "hadamard-folded,F32,1536,16,2e-6", "hadamard-folded,BF16,768,6,3e-2",
      "identity,F32,256,4,2e-6",
      "identity,BF16,256,4,3e-2", "dense,F32,256,4,2e-6", "dense,BF16,768,12,3e-2",
      "hadamard-alpha-beta,F32,768,12,2e-6", "signed-hadamard,F32,768,12,2e-6", "random-orthogonal,F32,768,12,1e-5",
      "random-orthogonal,BF16,768,12,3e-2", "random-orthogonal-alpha-beta,BF16,768,12,3e-2", "padded-hadamard,F32,768,12,1e-5",
      "padded-hadamard,BF16,2560,20,3e-2", "padded-hadamard,F32,300,3,1e-5", "block-diagonal,F32,768,12,1e-5",
      "block-diagonal,BF16,768,12,3e-2", "low-rank,F32,768,12,1e-5", "low-rank,BF16,768,12,3e-2"})
  void soItIsOnTheGpu(String projection, Dtype dtype, int width, int heads, double tolerance) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    compare(Device.CUDA, projection, dtype, width, heads, tolerance);
  }

  /** Such rows of float32 fit no multiprocessor's shared memory: libtorch's operators run, and give what they give. */
  @Test
  void rowsTooWideForTheKernelRunPlain() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    compare(Device.CUDA, "hadamard", Dtype.F32, 12288, 96, 1e-12);
  }

  private static void compare(Device device, String projection, Dtype dtype, int width, int heads, double tolerance) {
    try (var scope = Scope.open()) {
      var config = new ModelConfig(2, width, heads, 64, 8, 61, Projection.named(projection));
      var weights = new Weights(device, dtype, 1);
      var out = OutputProjection.ofAttention(config, weights.at("out"), Kernels.FUSED);
      var gain = weights.at("norm").constant("gain", 1.25, width);
      var o = random(device, dtype, width);
      o.set_requires_grad(true);
      var x = random(device, dtype, width);
      x.set_requires_grad(true);
      var seeds = List.of(random(device, dtype, width), random(device, dtype, width));
      var fused = everything(out.join(o, x, gain), seeds, weights, o, x);
      var plain = everything(out.plainJoin(o, x, gain), seeds, weights, o, x);
      for (int i = 0; i < plain.size(); i++) {
        double scale = Math.max(1, plain.get(i).abs().max().item_double());
        double error = fused.get(i).sub(plain.get(i)).abs().max().item_double();
        assertThat(error / scale).as("output or gradient %d", i).isLessThan(tolerance);
      }
      weights.close();
    }
  }

  private static Tensor random(Device device, Dtype dtype, int width) {
    return torch.randn(1, ROWS, width).to(device.options(dtype), false, true, null);
  }

  /** Both outputs, then the gradients of the inputs and of all weights; clears the gradients. */
  private static List<Tensor> everything(Joined joined, List<Tensor> seeds, Weights weights, Tensor o, Tensor x) {
    joined.residual().mul(seeds.get(0)).sum().add(joined.normed().mul(seeds.get(1)).sum()).backward();
    var all = new ArrayList<>(List.of(joined.residual(), joined.normed()));
    var leaves = new ArrayList<>(List.of(o, x));
    weights.all().forEach(w -> leaves.add(w.value()));
    for (var leaf : leaves) {
      all.add(leaf.grad().clone());
      leaf.mutable_grad().reset();
    }
    return all;
  }
}
