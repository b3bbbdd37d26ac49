package dev.walsh.kernels.wht;

/** The plain loops keep the contract. */
final class ReferenceJoinTest extends HadamardJoinContract {
  @Override
  HadamardJoin create(HadamardFactors factors, int channels, double eps, int threads) {
    return new ReferenceJoin(factors, channels, eps, threads);
  }
}
