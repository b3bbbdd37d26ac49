package dev.walsh.kernels.wht;

import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.KernelUnavailable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;

/** The CUDA C++ texts of this room, compiled with the defines that all of them take: those of {@code element.cu} and {@code hadamard.cu}. */
final class CudaSource {
  private static final List<String> HEADERS = List.of("element.cu", "hadamard.cu", "rows.cu", "chain.cu");
  private static final int VECTOR_BYTES = 16;
  /** Of a greater core, inputs and sums do not fit a thread's registers. */
  private static final int GREATEST_CORE = 84;

  private CudaSource() {}

  /** The most elements of a dtype that one access moves where the numbers given are multiples of it. */
  static int vector(Dtype dtype, long... multiples) {
    long bits = VECTOR_BYTES / dtype.bytes();
    for (long multiple : multiples) bits |= multiple;
    return (int) Long.lowestOneBit(bits);
  }

  /**
   * Compiles {@code name.cu}.
   *
   * @param factors the matrix but for the identity
   * @param channels the order of the identity that it is multiplied by
   * @param vector the elements that one access moves
   * @param defines further ones, such as THREADS=128
   * @throws KernelUnavailable where the machine cannot
   */
  static CudaModule compile(String name, HadamardFactors factors, int channels, Dtype dtype, int vector, List<String> defines) {
    var outer = factors.factors().getFirst();
    var inner = factors.factors().size() > 1 ? factors.factors().get(1) : HadamardOrder.of(1);
    int core = Math.max(outer.core(), inner.core());
    if (core > GREATEST_CORE) {
      throw new KernelUnavailable(
          "the kernels of the GPU take Paley cores up to order " + GREATEST_CORE + " and the matrix has one of " + core);
    }
    var all = new ArrayList<>(List.of("ELEMENT=" + element(dtype), "VECTOR=" + vector, "CORE_A=" + outer.core(), "LOG2_A=" + outer.log2(),
        "CORE_B=" + inner.core(), "LOG2_B=" + inner.log2(), "CHANNELS=" + channels));
    all.addAll(defines);
    var headers = new LinkedHashMap<String, String>();
    for (var header : HEADERS) headers.put(header, text(header));
    return CudaModule.compile(name + ".cu", text(name + ".cu"), headers, all.stream().map(define -> "-D" + define).toList());
  }

  private static String element(Dtype dtype) {
    return switch (dtype) {
      case BF16 -> "Bf16";
      case F16 -> "F16";
      case F32 -> "F32";
      case F64, I64, I8 -> throw new KernelUnavailable("no kernel of the GPU computes in " + dtype);
    };
  }

  private static String text(String name) {
    try (var in = CudaSource.class.getResourceAsStream(name)) {
      if (in == null) throw new IllegalStateException("the jar lacks " + name);
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
