package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.ModelConfig.Query;
import dev.walsh.config.Projection;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** A model that learns with our kernels, and the same with libtorch's operators: the Hadamard matrix is there a Kronecker product. */
final class KernelsTest {
  private static final int STEPS = 10;

  @ParameterizedTest
  @CsvSource({"dense,F64,1e-12", "hadamard,F64,1e-12", "hadamard-folded,F64,1e-12", "identity,F64,1e-12", "hadamard,F32,1e-5",
      "hadamard,BF16,1e-2", "padded-hadamard,F64,1e-12", "random-orthogonal,BF16,1e-2", "block-diagonal:2,F64,1e-12", "low-rank,BF16,1e-2",
      "identity-query,F64,1e-12", "identity-query,BF16,1e-2"})
  void tenStepsGiveTheSameLosses(String projection, Dtype dtype, double tolerance) {
    compare(projection, Device.CPU, dtype, tolerance);
  }

  @ParameterizedTest
  @CsvSource({"dense,F32,1e-4", "hadamard,F32,1e-4", "hadamard-folded,F32,1e-4", "identity,F32,1e-4", "hadamard,BF16,1e-2",
      "padded-hadamard,F32,1e-4", "padded-hadamard,BF16,1e-2", "random-orthogonal,BF16,1e-2", "block-diagonal:2,BF16,1e-2",
      "low-rank,BF16,1e-2", "identity-query,F32,1e-4", "identity-query,BF16,1e-2"})
  void soTheyDoOnTheGpu(String projection, Dtype dtype, double tolerance) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    compare(projection, Device.CUDA, dtype, tolerance);
  }

  private static void compare(String projection, Device device, Dtype dtype, double tolerance) {
    var dense = new ModelConfig(2, 96, 6, 64, 16, 61, Projection.named("dense"));
    var config = projection.equals("identity-query") ? dense.with(Query.IDENTITY) : dense.with(Projection.named(projection));
    var fused = losses(config, device, dtype, Kernels.FUSED);
    var plain = losses(config, device, dtype, Kernels.PLAIN);
    assertThat(plain.getLast()).as("it learns").isLessThan(plain.getFirst() - 0.1);
    for (int step = 0; step < STEPS; step++) assertThat(fused.get(step)).as("step %d", step).isCloseTo(plain.get(step), offset(tolerance));
  }

  /** The losses of ten steps of plain gradient descent on one batch. */
  private static List<Double> losses(ModelConfig config, Device device, Dtype dtype, Kernels kernels) {
    var weights = new Weights(device, dtype, 3);
    var model = new Gpt(config, weights, kernels);
    var random = new Random(1);
    var losses = new ArrayList<Double>();
    for (int step = 0; step < STEPS; step++) {
      try (var scope = Scope.open()) {
        random.setSeed(1);
        var loss = model.loss(ids(random, device), ids(random, device));
        loss.backward();
        losses.add(loss.item_double());
        try (var update = Scope.withoutGradients()) {
          for (var w : weights.all()) {
            w.master().sub_(w.value().grad().to(w.master().scalar_type()), new Scalar(0.1));
            w.value().mutable_grad().reset();
          }
        }
        weights.refresh();
      }
    }
    weights.close();
    return losses;
  }

  private static Tensor ids(Random random, Device device) {
    var ids = Memory.tensor(random.longs(4 * 16, 0, 61).toArray(), 4, 16);
    return ids.to(device.options(Dtype.I64), false, false, null);
  }
}
