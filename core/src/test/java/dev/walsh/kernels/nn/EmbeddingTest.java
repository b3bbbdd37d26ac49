package dev.walsh.kernels.nn;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

final class EmbeddingTest {
  @Test
  void idsNameRows() {
    try (var scope = Scope.open()) {
      var weight = Exactly.leaf(Device.CPU, Dtype.F64, 5, 3);
      var out = Embedding.apply(weight, Memory.tensor(new long[] {4, 0, 4, 4}, 2, 2));
      assertThat(torch.equal(out.narrow(0, 1, 1).narrow(1, 0, 1).view(3), weight.select(0, 4))).isTrue();
      var gradient = Exactly.gradient(weight, List.of(out), List.of(torch.ones_like(out)));
      assertThat(gradient.sum(1).select(0, 4).item_double()).isEqualTo(9);
      assertThat(gradient.sum(1).select(0, 1).item_double()).isZero();
    }
  }

  /** Zipf's law where {@code skewed}: text has tokens that occur once, and one that is every twentieth. */
  @ParameterizedTest
  @CsvSource({"BF16,768,1000,257,true", "BF16,40,5000,11,false", "BF16,1536,4096,50304,true", "F16,7,33,3,false", "F32,24,777,61,true",
      "F32,256,2000,1,false", "F32,5,1,9,true"})
  void theKernelComputesWhatLibtorchDoes(Dtype dtype, long width, int tokens, int vocabulary, boolean skewed) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var ids = ids(tokens, vocabulary, skewed);
      var weight = Exactly.leaf(Device.CUDA, dtype, vocabulary, width);
      var wide = Exactly.wide(weight);
      var upstream = Exactly.random(Device.CUDA, dtype, 1, tokens, width);
      var out = Embedding.apply(weight, ids);
      var gradient = Exactly.gradient(weight, List.of(out), List.of(upstream));
      var exact = Exactly.gradient(wide, List.of(Embedding.plain(wide, ids)), List.of(upstream.to(Dtype.F64.scalarType())));
      assertThat(torch.equal(out, Embedding.plain(weight, ids))).isTrue();
      Exactly.assertRounded("the gradient", gradient, exact);
      var again = Exactly.gradient(weight, List.of(Embedding.apply(weight, ids)), List.of(upstream));
      assertThat(torch.equal(again, gradient)).as("the same bits again").isTrue();
    }
  }

  private static Tensor ids(int tokens, int vocabulary, boolean skewed) {
    var random = new Random(1);
    var ids = new long[tokens];
    for (int i = 0; i < tokens; i++) {
      ids[i] = skewed ? (long) Math.pow(vocabulary, random.nextDouble()) % vocabulary : random.nextInt(vocabulary);
    }
    return Memory.tensor(ids, 1, tokens).to(Device.CUDA.options(Dtype.I64), false, false, null);
  }
}
