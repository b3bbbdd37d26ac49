package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.kernels.wht.HadamardFactors;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The map of an output projection without weights, written out as a matrix. */
public final class FixedMatrix {
  private FixedMatrix() {}

  /**
   * W of y ↦ y Wᵀ, before alpha and beta: (out,in) in float64 on the CPU. Of the Hadamard maps it is the full matrix, whatever of it the
   * value projection holds.
   *
   * @throws IllegalArgumentException for a learned map
   */
  public static Tensor of(ModelConfig config) {
    int width = config.width();
    return switch (config.projection().mix()) {
      case HADAMARD, HADAMARD_FOLDED, SIGNED_HADAMARD -> Memory.tensor(HadamardFactors.of(width, config.heads()).dense(), width, width).t();
      case IDENTITY -> torch.eye(width, Device.CPU.options(Dtype.F64));
      case RANDOM_ORTHOGONAL -> Memory.tensor(HaarMatrix.of(width), width, width);
      case PADDED_HADAMARD -> {
        var order = PaddedHadamard.order(width);
        yield Memory.tensor(HadamardFactors.of(order).dense(), order.order(), order.order()).narrow(0, 0, width).narrow(1, 0, width);
      }
      case DENSE, BLOCK_DIAGONAL, LOW_RANK -> throw new IllegalArgumentException(config.projection() + " is learned");
    };
  }
}
