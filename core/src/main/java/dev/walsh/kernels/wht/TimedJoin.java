package dev.walsh.kernels.wht;

import dev.walsh.config.ModelConfig;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** A join's kernels without a graph around them, to be timed: those of the CPU or of the GPU. */
sealed interface TimedJoin {
  void forward(JoinTensors t);

  void backward(JoinTensors t);

  /** x' = x + alpha ⊙ (y·(H ⊗ I)) + beta, the factors giving H and the channels the order of I. */
  static TimedJoin create(Device device, Dtype dtype, HadamardFactors factors, int channels, long rows) {
    return device == Device.CUDA
        ? new OnCuda(CudaJoinKernels.of(new CudaJoinKernels.Shape(factors, channels, true, true, dtype)), factors.order() * channels, rows)
        : new OnCpu(HadamardJoin.create(factors, channels, ModelConfig.NORM_EPSILON, Device.threads()), ElementType.of(dtype));
  }

  /** x' = x + y, which a dense projection ends in. */
  static TimedJoin plain(Device device, Dtype dtype, int width, long rows) {
    var none = HadamardFactors.of(HadamardOrder.of(1));
    return device == Device.CUDA
        ? new OnCuda(CudaJoinKernels.of(new CudaJoinKernels.Shape(none, width, false, false, dtype)), width, rows)
        : create(device, dtype, none, width, rows);
  }

  /** {@link CudaJoinKernels} with memory for the partial sums of so many rows. */
  final class OnCuda implements TimedJoin {
    private final CudaJoinKernels kernels;
    private final Tensor partial;

    private OnCuda(CudaJoinKernels kernels, int width, long rows) {
      this.kernels = kernels;
      partial = torch.empty(new long[] {kernels.backwardBlocks(rows), 3, width}, Device.CUDA.options(Dtype.F32), null);
    }

    @Override
    public void forward(JoinTensors t) {
      kernels.forward(t.rows, t.y, t.x, t.alpha, t.beta, t.gain, t.xOut, t.n, ModelConfig.NORM_EPSILON, false);
    }

    @Override
    public void backward(JoinTensors t) {
      kernels.backward(t.rows, t.y, t.xOut, t.dxOut, t.dn, t.alpha, t.gain, t.dy, t.dx, partial, t.dAlpha, t.dBeta, t.dGain,
          ModelConfig.NORM_EPSILON);
    }
  }

  /** {@link HadamardJoin} on the memory of CPU tensors. */
  final class OnCpu implements TimedJoin {
    private final HadamardJoin kernel;
    private final ElementType type;

    private OnCpu(HadamardJoin kernel, ElementType type) {
      this.kernel = kernel;
      this.type = type;
    }

    private static HadamardJoin.Weights weights(Tensor alpha, Tensor beta, Tensor gain) {
      return new HadamardJoin.Weights(Memory.of(alpha), Memory.of(beta), Memory.of(gain));
    }

    @Override
    public void forward(JoinTensors t) {
      kernel.forward(type, t.rows, Memory.of(t.y), Memory.of(t.x), weights(t.alpha, t.beta, t.gain), Memory.of(t.xOut), Memory.of(t.n));
    }

    @Override
    public void backward(JoinTensors t) {
      kernel.backward(type, t.rows, Memory.of(t.y), Memory.of(t.xOut), weights(t.alpha, t.beta, t.gain), Memory.of(t.dxOut),
          Memory.of(t.dn), Memory.of(t.dy), Memory.of(t.dx),
          weights(t.dAlpha, t.dBeta, t.dGain));
    }
  }
}
