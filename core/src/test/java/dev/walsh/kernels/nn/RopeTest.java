package dev.walsh.kernels.nn;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

final class RopeTest {
  private static final double BASE = 10_000;

  private static Rope rope(Device device, Dtype dtype, int context, int headWidth) {
    return new Rope(context, headWidth, BASE, new Weights(device, dtype, 0).at("rope"));
  }

  @Test
  void channelsTurnByTheAngleOfTheirPosition() {
    try (var scope = Scope.open()) {
      var packed = Exactly.random(Device.CPU, Dtype.F64, 1, 3, 3 * 2 * 4);
      var heads = rope(Device.CPU, Dtype.F64, 5, 4).apply(packed);
      // The second head's key, its second pair of channels, at position 2.
      double a = packed.narrow(1, 2, 1).narrow(2, 8 + 4 + 1, 1).item_double();
      double b = packed.narrow(1, 2, 1).narrow(2, 8 + 4 + 3, 1).item_double();
      double angle = 2 * Math.pow(BASE, -0.5);
      var row = heads.key().narrow(1, 1, 1).narrow(2, 2, 1);
      assertThat(row.narrow(3, 1, 1).item_double()).isCloseTo(a * Math.cos(angle) - b * Math.sin(angle), offset(1e-15));
      assertThat(row.narrow(3, 3, 1).item_double()).isCloseTo(a * Math.sin(angle) + b * Math.cos(angle), offset(1e-15));
      assertThat(torch.equal(heads.value().transpose(1, 2).reshape(1, 3, 8), packed.narrow(2, 16, 8))).isTrue();
    }
  }

  @Test
  void scoresDependOnTheDistanceAlone() {
    try (var scope = Scope.open()) {
      var token = Exactly.random(Device.CPU, Dtype.F64, 1, 1, 3 * 6);
      var heads = rope(Device.CPU, Dtype.F64, 9, 6).apply(token.expand(1, 9, 18).contiguous());
      var scores = heads.query().matmul(heads.key().transpose(2, 3));
      double near = scores.narrow(2, 3, 1).narrow(3, 1, 1).item_double();
      assertThat(scores.narrow(2, 8, 1).narrow(3, 6, 1).item_double()).isCloseTo(near, offset(1e-12));
    }
  }

  @ParameterizedTest
  @CsvSource({"BF16,2,65,12,64", "BF16,1,3,16,96", "BF16,2,5,3,10", "BF16,1,1,20,128", "F16,2,1,2,6", "F32,2,17,12,64", "F32,3,1,5,2"})
  void theKernelComputesWhatLibtorchDoes(Dtype dtype, long b, int t, long heads, int headWidth) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      long width = heads * headWidth;
      var packed = Exactly.leaf(Device.CUDA, dtype, b, t, 3 * width);
      var wide = Exactly.wide(packed);
      var out = rope(Device.CUDA, dtype, t + 2, headWidth).apply(packed.clone());
      var exact = rope(Device.CUDA, Dtype.F64, t + 2, headWidth).apply(wide);
      Exactly.assertRounded("q", out.query(), exact.query());
      Exactly.assertRounded("k", out.key(), exact.key());
      Exactly.assertRounded("v", out.value(), exact.value());
      // As different kernels of attention lay their gradients out: heads inside tokens, packed, tokens inside heads.
      var upstream = List.of(Exactly.random(Device.CUDA, dtype, b, t, heads, headWidth).transpose(1, 2),
          Exactly.random(Device.CUDA, dtype, b, t, 3, heads, headWidth).select(2, 1).transpose(1, 2),
          Exactly.random(Device.CUDA, dtype, b, heads, t, headWidth));
      Exactly.assertRounded("the gradient", gradient(packed, out, upstream), gradient(wide, exact, upstream));
    }
  }

  @ParameterizedTest
  @CsvSource({"BF16,65,12,64", "F32,17,3,10"})
  void theKernelTurnsTokensByPositionsOfTheirOwn(Dtype dtype, int tokens, long heads, int headWidth) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var packed = Exactly.leaf(Device.CUDA, dtype, 1, tokens, 3 * heads * headWidth);
      var wide = Exactly.wide(packed);
      // Beyond the table, and in no order.
      var positions = Memory.tensor(new Random(1).longs(tokens, 0, 500).toArray(), tokens).to(Device.CUDA.options(Dtype.I64), false, false,
          null);
      var rope = rope(Device.CUDA, dtype, 4, headWidth);
      var out = rope.apply(packed.clone(), rope.angles(positions));
      var exactly = rope(Device.CUDA, Dtype.F64, 4, headWidth);
      var exact = exactly.apply(wide, exactly.angles(positions));
      Exactly.assertRounded("q", out.query(), exact.query());
      Exactly.assertRounded("k", out.key(), exact.key());
      Exactly.assertRounded("v", out.value(), exact.value());
      var upstream = IntStream.range(0, 3).mapToObj(i -> Exactly.random(Device.CUDA, dtype, 1, heads, tokens, headWidth)).toList();
      Exactly.assertRounded("the gradient", gradient(packed, out, upstream), gradient(wide, exact, upstream));
    }
  }

  private static Tensor gradient(Tensor packed, Rope.Heads heads, List<Tensor> upstream) {
    return Exactly.gradient(packed, List.of(heads.query(), heads.key(), heads.value()),
        upstream.stream().map(g -> g.to(packed.scalar_type())).toList());
  }

  @Test
  void anUnusedOutputHasNoGradient() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    try (var scope = Scope.open()) {
      var packed = Exactly.leaf(Device.CUDA, Dtype.F32, 1, 4, 3 * 8);
      var out = rope(Device.CUDA, Dtype.F32, 4, 4).apply(packed.clone());
      var upstream = Exactly.random(Device.CUDA, Dtype.F32, 1, 2, 4, 4);
      var gradient = Exactly.gradient(packed, List.of(out.value()), List.of(upstream));
      assertThat(gradient.narrow(2, 0, 16).abs().max().item_double()).isZero();
      assertThat(torch.equal(gradient.narrow(2, 16, 8), upstream.transpose(1, 2).reshape(1, 4, 8))).isTrue();
    }
  }
}
