package dev.walsh.kernels.nn;

import dev.walsh.kernels.wht.HadamardJoin;
import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.Dtype;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** The CUDA C++ texts of this room; all include {@code element.cu} of the transform's. */
final class CudaText {
  private static final String ELEMENT = "element.cu";
  private static final int VECTOR_BYTES = 16;

  private CudaText() {}

  /** Whether the kernels compute on a tensor: on the GPU, and in no wider type than float32. */
  static boolean covers(Tensor t) {
    return t.is_cuda() && Dtype.of(t) != Dtype.F64;
  }

  /** The most elements that one access moves where rows have {@code width} of them: a power of two, 16 bytes at most. */
  static int vector(Dtype dtype, int width) {
    return Math.min(VECTOR_BYTES / dtype.bytes(), Integer.lowestOneBit(width));
  }

  /**
   * Compiles a text for the GPU in use.
   *
   * @param defines such as {@code HIDDEN=2048}
   */
  static CudaModule compile(String name, Dtype dtype, int vector, String... defines) {
    var options = new ArrayList<>(List.of("-DELEMENT=" + element(dtype), "-DVECTOR=" + vector));
    for (var define : defines) options.add("-D" + define);
    return CudaModule.compile(name, read(CudaText.class, name), Map.of(ELEMENT, read(HadamardJoin.class, ELEMENT)), options);
  }

  private static String element(Dtype dtype) {
    return switch (dtype) {
      case BF16 -> "Bf16";
      case F16 -> "F16";
      case F32 -> "F32";
      case F64, I64 -> throw new IllegalArgumentException("no kernel for " + dtype);
    };
  }

  private static String read(Class<?> neighbour, String name) {
    try (var in = neighbour.getResourceAsStream(name)) {
      if (in == null) throw new IllegalStateException("the jar lacks " + name);
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
