package dev.walsh.kernels.wht;

import static org.assertj.core.api.Assertions.assertThat;

/** The vector kernels keep the contract, and they are what runs here. */
final class SimdJoinTest extends HadamardJoinContract {
  @Override
  HadamardJoin create(HadamardFactors factors, int channels, double eps, int threads) {
    var join = HadamardJoin.create(factors, channels, eps, threads);
    assertThat(join).isInstanceOf(SimdJoin.class);
    return join;
  }
}
