package dev.walsh.kernels.wht;

import dev.walsh.tensor.Device;

import static org.assertj.core.api.Assertions.assertThat;

/** The vector kernels take CPU tensors as they lie, and they are what runs here. */
final class SimdTensorTest extends WhtTensorContract {
  @Override
  Wht create(HadamardFactors factors) {
    var wht = Wht.create(factors, Device.CPU);
    assertThat(wht).isInstanceOf(Simd.class);
    return wht;
  }

  @Override
  Device device() {
    return Device.CPU;
  }
}
