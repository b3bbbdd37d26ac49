package dev.walsh.kernels.wht;

/** The plain loops keep the contract. */
final class ReferenceWhtTest extends WhtContract {
  @Override
  Wht create(HadamardFactors factors, double scale, int threads) {
    return new Reference(factors, scale, threads);
  }
}
