package dev.walsh.kernels.wht;

import dev.walsh.config.UserError;
import dev.walsh.tensor.Device;
import org.bytedeco.pytorch.Tensor;

/**
 * A Walsh–Hadamard transform y ↦ y·H (or y·Hᵀ) of rows, bound to one matrix H.
 *
 * <p>Thread-safe. NaN and infinities pass through as IEEE 754 addition takes them. The room's README derives the kernels.
 */
public sealed interface Wht permits CpuWht, Cuda {
  /** Which product: with H or with its transpose, which is also its inverse where the scale is 1/√d. */
  enum Direction {
    FORWARD, TRANSPOSE
  }

  /**
   * The fastest transform of a device with the orthonormal matrix.
   *
   * @throws UserError for the GPU where a kernel cannot run there, saying what is missing, and for a device without memory
   */
  static Wht create(HadamardFactors factors, Device device) {
    return switch (device) {
      case CPU -> create(factors);
      case CUDA -> new Cuda(factors);
      case META -> throw new UserError("There is no transform on a device without memory: choose cpu or cuda.");
    };
  }

  /** The fastest transform of this machine's CPU with the orthonormal matrix, on all cores. */
  static CpuWht create(HadamardFactors factors) {
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
  static CpuWht create(HadamardFactors factors, double scale, int threads) {
    return create(factors, HadamardVariant.NATURAL, scale, threads);
  }

  /**
   * The same with another of the Hadamard matrices of these orders.
   *
   * @throws UserError where there is no such matrix
   */
  static CpuWht create(HadamardFactors factors, HadamardVariant variant, double scale, int threads) {
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

  /** What runs, for people: the kernels, and what they run on. */
  String describe();

  /**
   * Transforms rows: in, out: (…, d) -> out. Rows may lie further apart than they are long, if all by one distance.
   *
   * @param in read
   * @param out written; {@code in} itself, or a view of the very same rows, or apart from it
   * @throws UserError for another width, a dtype that the device's kernels do not take, a tensor of another device, elements of a row that
   *     are not neighbours, rows at uneven distances, and outputs that overlap the input in part
   */
  void transform(Tensor in, Tensor out, Direction direction);
}
