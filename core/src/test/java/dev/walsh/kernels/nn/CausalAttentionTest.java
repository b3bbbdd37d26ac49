package dev.walsh.kernels.nn;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

final class CausalAttentionTest {
  private static CausalAttention attention(Device device, Dtype dtype, int context) {
    return new CausalAttention(context, new Weights(device, dtype, 0).at("softmax"));
  }

  /** packed: (B,T,3,H,D) -> views (B,H,T,D) of it. */
  private static Rope.Heads heads(Tensor packed) {
    var apart = packed.transpose(1, 3).unbind(2);
    return new Rope.Heads(apart.get(0), apart.get(1), apart.get(2));
  }

  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "BF16"})
  void noTokenSeesALaterOne(Dtype dtype) {
    try (var scope = Scope.withoutGradients()) {
      var attention = attention(Device.CPU, dtype, 9);
      var packed = Exactly.random(Device.CPU, dtype, 2, 7, 3, 2, 4);
      var before = attention.apply(heads(packed)).clone();
      packed.narrow(1, 5, 2).normal_();
      var after = attention.apply(heads(packed));
      assertThat(torch.equal(after.narrow(1, 0, 5), before.narrow(1, 0, 5))).isTrue();
      assertThat(torch.equal(after.narrow(1, 5, 2), before.narrow(1, 5, 2))).isFalse();
    }
  }

  @ParameterizedTest
  @CsvSource({"CPU,BF16,2,7,2,4", "CPU,BF16,1,1,1,2", "CPU,F32,2,33,3,10", "CUDA,BF16,2,128,12,64", "CUDA,BF16,1,65,4,96",
      "CUDA,BF16,2,3,2,128", "CUDA,BF16,1,1,2,64",
      "CUDA,BF16,1,9,2,10", "CUDA,F16,2,40,4,64", "CUDA,F32,2,33,4,64", "CUDA,F32,1,5,3,6"})
  void itIsSoftmaxOfScaledScores(Device device, Dtype dtype, long b, int t, long heads, long headWidth) {
    assumeTrue(device == Device.CPU || Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var packed = Exactly.leaf(device, dtype, b, t, 3, heads, headWidth);
      var wide = packed.detach().to(Device.CPU.options(Dtype.F64), false, false, null).set_requires_grad(true);
      var attention = attention(device, dtype, t + 2);
      var reference = attention(Device.CPU, Dtype.F64, t + 2);
      var upstream = Exactly.random(device, dtype, b, t, heads * headWidth);
      // Twice: the first pass of a shape may measure, the second runs what it chose.
      for (int pass = 0; pass < 2; pass++) {
        var out = attention.apply(heads(packed));
        var exact = reference.apply(heads(wide));
        assertClose("output", out, exact);
        assertClose("gradient", Exactly.gradient(packed, List.of(out), List.of(upstream)),
            Exactly.gradient(wide, List.of(exact), List.of(upstream.to(Device.CPU.options(Dtype.F64), false, false, null))));
      }
    }
  }

  /** These kernels are libtorch's, which rounds the probabilities too. */
  private static void assertClose(String what, Tensor actual, Tensor exact) {
    double tolerance = switch (Dtype.of(actual)) {
      case BF16 -> 3e-2;
      case F16 -> 4e-3;
      case F32, F64, I64, I8 -> 1e-5;
    };
    var error = actual.to(Device.CPU.options(Dtype.F64), false, false, null).sub(exact).abs().max().item_double();
    assertThat(error).as(what).isLessThan(tolerance * Math.max(1, exact.abs().max().item_double()));
  }
}
