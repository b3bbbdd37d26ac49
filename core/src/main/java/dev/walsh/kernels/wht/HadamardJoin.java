package dev.walsh.kernels.wht;

import java.lang.foreign.MemorySegment;

/**
 * The Hadamard projection, the residual addition and the norm after it, in one pass over memory, forward and backward:
 *
 * <pre>
 * x' = x + alpha ⊙ (y·H) + beta        n = x' / sqrt(mean(x'²) + eps) ⊙ gain
 * </pre>
 *
 * <p>H is orthonormal and of order d ({@code full}: the published parameterisation), or H_heads ⊗ I over (head, channel) ({@code folded}:
 * the factor over the channels lives in the value projection). Every matrix is (rows, d), contiguous, in native memory. The weights alpha,
 * beta and gain and their gradients are float64 where the rows are, else float32; sums run in that type or wider. n is the norm of x' as it
 * is stored, so that the backward pass, which reads it back, differentiates what ran.
 *
 * <p>Thread-safe. Results depend on the number of threads only through the order in which the weights' gradients are summed, and that order
 * is fixed: the same call on as many threads gives the same bits.
 */
public sealed interface HadamardJoin permits ReferenceJoin, SimdJoin {
  /** The paper's form, H_d, on all cores. */
  static HadamardJoin full(HadamardFactors factors, double eps) {
    return create(factors, 1, eps, Runtime.getRuntime().availableProcessors());
  }

  /** The folded form, H_heads ⊗ I over (head, channel), on all cores. */
  static HadamardJoin folded(HadamardOrder heads, int channels, double eps) {
    return create(HadamardFactors.of(heads), channels, eps, Runtime.getRuntime().availableProcessors());
  }

  /**
   * The fastest implementation of this machine's CPU, as for {@link Wht#create}.
   *
   * @param factors the matrix H, but for the identity
   * @param channels the order of the identity that H is multiplied by, 1 for the full form
   * @param eps what is added to the mean square
   * @param threads the most threads that a call is spread over, at least 1
   */
  static HadamardJoin create(HadamardFactors factors, int channels, double eps, int threads) {
    if (Wht.hasVectorApi()) {
      return new SimdJoin(factors, channels, eps, threads);
    }
    Reference.warnOnce();
    return new ReferenceJoin(factors, channels, eps, threads);
  }

  /**
   * Three vectors of length d: the weights, or their gradients.
   *
   * @param alpha the gain of the projection
   * @param beta its bias
   * @param gain the gain of the norm
   */
  record Weights(MemorySegment alpha, MemorySegment beta, MemorySegment gain) {}

  /** The width of a row, d. */
  int width();

  /** What runs, for people. */
  String describe();

  /**
   * Computes x' and n. An output may be an input (the very same memory), else all six are apart.
   *
   * @param type the type of the elements of y, x, x' and n
   * @param rows the number of rows; none is allowed
   * @param y what attention gives
   * @param x the residual stream
   * @param weights alpha, beta and gain
   * @param xOut x', written
   * @param n written
   * @throws IllegalArgumentException for heap memory, a segment that is too small, or a partial overlap
   */
  void forward(ElementType type, long rows, MemorySegment y, MemorySegment x, Weights weights, MemorySegment xOut, MemorySegment n);

  /**
   * Computes the gradients of y, x and the weights from those of x' and n. An output may be an input, else all are apart; the weights'
   * gradients are overwritten, not added to.
   *
   * @param type the type of the elements of all matrices
   * @param rows the number of rows; with none the weights' gradients are zero
   * @param y as in forward
   * @param xOut x' as forward wrote it
   * @param weights as in forward
   * @param dxOut the gradient of x' from elsewhere
   * @param dn the gradient of n
   * @param dy the gradient of y, written
   * @param dx the gradient of x, written
   * @param gradients the gradients of the weights, written
   * @throws IllegalArgumentException for heap memory, a segment that is too small, or a partial overlap
   */
  void backward(ElementType type, long rows, MemorySegment y, MemorySegment xOut, Weights weights, MemorySegment dxOut, MemorySegment dn,
      MemorySegment dy, MemorySegment dx, Weights gradients);
}
