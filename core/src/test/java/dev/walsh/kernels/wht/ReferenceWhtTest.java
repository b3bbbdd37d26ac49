package dev.walsh.kernels.wht;

/** The plain loops keep the contract. */
final class ReferenceWhtTest extends WhtContract {
  @Override
  CpuWht create(HadamardFactors factors, double scale, int threads) {
    return new Reference(factors, scale, threads);
  }
}
