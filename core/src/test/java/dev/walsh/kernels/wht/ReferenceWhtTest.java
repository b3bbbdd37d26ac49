package dev.walsh.kernels.wht;

/** The plain loops keep the contract. */
final class ReferenceWhtTest extends WhtContract {
  @Override
  CpuWht create(HadamardFactors factors, HadamardVariant variant, double scale, int threads) {
    return new Reference(factors, variant, scale, threads);
  }

  @Override
  int largestBasis() {
    return 512;
  }
}
