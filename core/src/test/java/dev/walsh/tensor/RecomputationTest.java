package dev.walsh.tensor;

import java.util.concurrent.atomic.AtomicInteger;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

final class RecomputationTest {
  @ParameterizedTest
  @EnumSource(names = {"CPU", "CUDA"})
  void theMemoryIsThereWhileBackwardReadsItAndThenOnly(Device device) {
    assumeTrue(device == Device.CPU || Device.hasCuda(), "there is no GPU here");
    var times = new AtomicInteger();
    try (var scope = Scope.open()) {
      var x = Memory.tensor(new double[] {1, 2, 3}, 3).to(device.options(Dtype.F64), false, false, null).set_requires_grad(true);
      var value = x.mul(new Scalar(2));
      var view = value.view(1, 3);
      var user = view.mul(view);
      Recomputation.between(value, user, () -> {
        times.incrementAndGet();
        return x.mul(new Scalar(2));
      });
      assertThat(Memory.address(view)).as("after forward").isZero();
      torch.empty(1 << 10);
      user.sum().backward();
      assertThat(Memory.doubles(x.grad())).containsExactly(8, 16, 24);
      assertThat(times).hasValue(1);
      assertThat(Memory.address(view)).as("after backward").isZero();
    }
  }

  /** Else its memory would wait for the garbage collector. */
  @Test
  void noGradientIsHeldOn() {
    try (var scope = Scope.open()) {
      var x = Memory.tensor(new double[] {1, 2, 3}, 3).set_requires_grad(true);
      var value = x.mul(new Scalar(2));
      var user = value.mul(value);
      Recomputation.between(value, user, () -> x.mul(new Scalar(2)));
      var upstream = torch.ones_like(user);
      long holders = upstream.use_count();
      user.backward(upstream, new BoolOptional(), false, new TensorArrayRefOptional());
      assertThat(upstream.use_count()).isEqualTo(holders);
    }
  }

  @Test
  void somethingElseThanTheSameIsRefused() {
    try (var scope = Scope.open()) {
      var x = Memory.tensor(new double[] {1, 2, 3}, 3).set_requires_grad(true);
      var value = x.mul(new Scalar(2));
      var user = value.mul(value);
      Recomputation.between(value, user, () -> torch.empty(7));
      Tensor sum = user.sum();
      assertThatThrownBy(sum::backward).hasMessageContaining("recomputed 28 bytes instead of 24");
    }
  }
}
