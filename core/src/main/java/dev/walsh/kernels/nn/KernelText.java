package dev.walsh.kernels.nn;

import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.KernelUnavailable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;

/** The CUDA C++ texts of this room, compiled with the defines that all of them take: those of {@code element.cu}. */
final class KernelText {
  /** Of the room of the transform. */
  private static final List<String> SHARED_HEADERS = List.of("element.cu", "chain.cu", "cluster.cu");
  private static final List<String> HEADERS = List.of("block.cu", "tokens.cu");
  private static final int VECTOR_BYTES = 16;

  private KernelText() {}

  /** Whether the kernels compute on a tensor: on the GPU, and in no wider type than float32. */
  static boolean covers(Tensor t) {
    return t.is_cuda() && Dtype.of(t) != Dtype.F64;
  }

  /** The most elements that one access moves where rows have {@code width} of them: a power of two, 16 bytes at most. */
  static int vector(Dtype dtype, int width) {
    return Math.min(VECTOR_BYTES / dtype.bytes(), Integer.lowestOneBit(width));
  }

  /**
   * Compiles {@code name.cu}.
   *
   * @param dtype what rows or gradients are stored in
   * @param vector the elements that one access moves
   * @param defines further ones, such as THREADS=128
   * @throws KernelUnavailable where the machine cannot
   */
  static CudaModule compile(String name, Dtype dtype, int vector, String... defines) {
    var options = Stream.concat(Stream.of("ELEMENT=" + element(dtype), "VECTOR=" + vector), Stream.of(defines)).map(d -> "-D" + d).toList();
    var headers = SHARED_HEADERS.stream().collect(Collectors.toMap(header -> header, header -> read("/dev/walsh/kernels/wht/" + header)));
    for (var header : HEADERS) headers.put(header, read(header));
    return CudaModule.compile(name + ".cu", read(name + ".cu"), headers, options);
  }

  /** The type of {@code element.cu} that stores a dtype. */
  static String element(Dtype dtype) {
    return switch (dtype) {
      case BF16 -> "Bf16";
      case F16 -> "F16";
      case F32 -> "F32";
      case F64, I64, I8 -> throw new KernelUnavailable("no kernel of the GPU computes in " + dtype);
    };
  }

  private static String read(String name) {
    try (var in = KernelText.class.getResourceAsStream(name)) {
      if (in == null) throw new IllegalStateException("the jar lacks " + name);
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
