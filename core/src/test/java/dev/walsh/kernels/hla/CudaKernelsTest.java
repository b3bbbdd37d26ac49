package dev.walsh.kernels.hla;

import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;

/** The kernels' texts are whole: the compiler of the GPU's machine gets every text that one includes. */
final class CudaKernelsTest {
  private static final Pattern INCLUDE = Pattern.compile("(?m)^#include (.*)$");

  @ParameterizedTest
  @ValueSource(strings = {"sums.cu", "accumulate.cu", "scan.cu", "sweep.cu", "read.cu", "pull.cu", "pull_shape.cu", "pull_pairs.cu",
      "upstream.cu", "features.cu", "project.cu", "projection.cu", "pull_projection.cu", "step.cu", "token.cu", "softplus.cu",
      "tensor_cores.cu"})
  void includesAreHeadersThatTravelWithIt(String name) {
    var included = INCLUDE.matcher(CudaKernels.text(name)).results().map(found -> found.group(1)).toList();
    var headers = Stream.concat(CudaKernels.HEADERS.stream(), CudaKernels.SHARED_HEADERS.stream()).map(header -> '"' + header + '"')
        .toList();
    assertThat(headers).containsAll(included);
  }
}
