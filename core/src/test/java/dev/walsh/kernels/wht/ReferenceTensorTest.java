package dev.walsh.kernels.wht;

import dev.walsh.tensor.Device;

/** The plain loops take CPU tensors as they lie. */
final class ReferenceTensorTest extends WhtTensorContract {
  @Override
  Wht create(HadamardFactors factors) {
    return new Reference(factors, 1 / Math.sqrt(factors.order()), 2);
  }

  @Override
  Device device() {
    return Device.CPU;
  }
}
