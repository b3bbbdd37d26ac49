package dev.walsh.kernels.wht;

import java.lang.foreign.MemorySegment;

/**
 * A Walsh–Hadamard transform y ↦ y·H (or y·Hᵀ) of rows in native memory, bound to one matrix H.
 *
 * <p>Thread-safe; no allocation once warm except one task object for a call that is spread over threads. NaN and infinities pass through as
 * IEEE 754 addition takes them. The room's README derives the kernels.
 */
public sealed interface Wht permits Reference, Simd {
  /** Which product: with H or with its transpose, which is also its inverse where the scale is 1/√d. */
  enum Direction {
    FORWARD, TRANSPOSE
  }

  /** The fastest transform of this machine's CPU with the orthonormal matrix, on all cores. */
  static Wht create(HadamardFactors factors) {
    return create(factors, 1 / Math.sqrt(factors.order()), Runtime.getRuntime().availableProcessors());
  }

  /**
   * The fastest transform of this machine's CPU: {@link Simd} where the JVM was started with the Vector API, else {@link Reference} with a
   * warning, once, that names the flag.
   *
   * @param factors the matrix of signs, of walsh's convention
   * @param scale what the signs are multiplied by; 1/√d makes the matrix orthonormal
   * @param threads the most threads that a call is spread over, at least 1
   */
  static Wht create(HadamardFactors factors, double scale, int threads) {
    return create(factors, HadamardVariant.NATURAL, scale, threads);
  }

  /**
   * The same with another of the Hadamard matrices of these orders.
   *
   * @throws dev.walsh.config.UserError where there is no such matrix
   */
  static Wht create(HadamardFactors factors, HadamardVariant variant, double scale, int threads) {
    if (hasVectorApi()) {
      return new Simd(factors, variant, scale, threads);
    }
    Reference.warnOnce();
    return new Reference(factors, variant, scale, threads);
  }

  /** Whether this JVM was started with the Vector API. */
  static boolean hasVectorApi() {
    return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
  }

  /** The matrix. */
  HadamardFactors factors();

  /** The width of a row, d. */
  int width();

  /** What runs, for people: the kernels, the vector length and the threads. */
  String describe();

  /**
   * Transforms {@code rows} rows.
   *
   * @param type the type of the elements of both matrices
   * @param direction with H or with Hᵀ
   * @param rows the number of rows; none is allowed
   * @param in native memory of shape (rows, d), read
   * @param inStride the distance of its rows in elements, at least d
   * @param out native memory of shape (rows, d), written; the same rows as {@code in} (same address and stride), or apart from them
   * @param outStride the distance of its rows in elements, at least d
   * @throws IllegalArgumentException for heap memory, a segment that is too small, a bad stride or count, or a partial overlap
   */
  void transform(ElementType type, Direction direction, long rows, MemorySegment in, long inStride, MemorySegment out, long outStride);

  /** Transforms rows without gaps, of shape (rows, d), from {@code in} to {@code out}. */
  default void transform(ElementType type, Direction direction, long rows, MemorySegment in, MemorySegment out) {
    int d = width();
    transform(type, direction, rows, in, d, out, d);
  }
}
