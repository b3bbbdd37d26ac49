package dev.walsh.tensor;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class CustomGradientTest {
  /** (a, b, c) -> (a·b, b + c), computed without a record, with the gradients written by hand. */
  private static List<Tensor> kernel(Tensor a, Tensor b, Tensor c) {
    List<Tensor> outputs;
    try (var scope = Scope.withoutGradients()) {
      outputs = List.of(scope.escape(a.mul(b)), scope.escape(b.add(c)));
    }
    if (!CustomGradient.isWanted(a, b, c)) return outputs;
    CustomGradient.attach(List.of(a, b, c), outputs, given -> {
      var product = given.get(0);
      var sum = given.get(1);
      var gradients = new ArrayList<@Nullable Tensor>();
      gradients.add(product == null ? null : product.mul(b));
      gradients.add(product == null ? sum : sum == null ? product.mul(a) : product.mul(a).add(sum));
      gradients.add(sum);
      return gradients;
    });
    return outputs;
  }

  private static Tensor leaf() {
    var t = torch.randn(3, 4);
    t.set_requires_grad(true);
    return t;
  }

  @Test
  void gradientsAreThoseOfTheWrittenBackward() {
    try (var scope = Scope.open()) {
      var a = leaf();
      var b = leaf();
      var c = leaf();
      var outputs = kernel(a, b, c);
      outputs.get(0).sum().add(outputs.get(1).mul(new Scalar(3)).sum()).backward();
      assertThat(torch.allclose(a.grad(), b)).isTrue();
      assertThat(torch.allclose(b.grad(), a.add(new Scalar(3)))).isTrue();
      assertThat(torch.allclose(c.grad(), torch.full(new long[] {3, 4}, new Scalar(3.0f)))).isTrue();
    }
  }

  @Test
  void gradientsPassThroughWhatCameBefore() {
    try (var scope = Scope.open()) {
      var a = leaf();
      var outputs = kernel(a.mul(new Scalar(2)), a, a.mul(a));
      outputs.get(0).sum().backward();
      assertThat(torch.allclose(a.grad(), a.mul(new Scalar(4)))).isTrue();
    }
  }

  @Test
  void anUnusedOutputHasNoGradient() {
    try (var scope = Scope.open()) {
      var a = leaf();
      var b = leaf();
      var c = leaf();
      kernel(a, b, c).get(1).sum().backward();
      assertThat(a.grad().defined()).isFalse();
      assertThat(torch.allclose(c.grad(), torch.ones_like(c))).isTrue();
    }
  }

  @Test
  void outputsMayBeViewsOfWhatTheyWereMadeFrom() {
    try (var scope = Scope.open()) {
      var a = leaf();
      var packed = a.mul(new Scalar(1));
      Tensor first;
      Tensor second;
      try (var inner = Scope.withoutGradients()) {
        var doubled = packed.detach().mul_(new Scalar(2));
        first = inner.escape(doubled.select(0, 0));
        second = inner.escape(doubled.select(0, 2));
      }
      CustomGradient.attach(List.of(packed), List.of(first, second), given -> {
        var rows = torch.zeros_like(packed);
        for (int i = 0; i < 2; i++) {
          var g = given.get(i);
          if (g != null) rows.select(0, 2 * i).copy_(g).mul_(new Scalar(2));
        }
        return List.of(rows);
      });
      first.view(2, 2).sum().add(second.mul(second).sum()).backward();
      assertThat(torch.allclose(a.grad().select(0, 0), torch.full(new long[] {4}, new Scalar(2.0f)))).isTrue();
      assertThat(a.grad().select(0, 1).abs().max().item_double()).isZero();
      assertThat(torch.allclose(a.grad().select(0, 2), a.select(0, 2).mul(new Scalar(8)))).isTrue();
    }
  }

  @Test
  void backwardTwiceIsTheSameTwice() {
    try (var scope = Scope.open()) {
      var a = leaf();
      var b = leaf();
      var c = leaf();
      var loss = kernel(a, b, c).getFirst().sum();
      loss.backward(new Tensor(), new BoolOptional(true), false, new TensorArrayRefOptional());
      loss.backward();
      assertThat(torch.allclose(a.grad(), b.mul(new Scalar(2)))).isTrue();
      assertThat(c.grad().defined()).isFalse();
    }
  }

  @Test
  void nothingIsRecordedWithoutGradients() {
    try (var scope = Scope.withoutGradients()) {
      var a = leaf();
      assertThat(kernel(a, a, a).getFirst().requires_grad()).isFalse();
    }
  }

  @Test
  void aGradientOfTheWrongShapeIsRefused() {
    try (var scope = Scope.open()) {
      var a = leaf();
      Tensor out;
      try (var inner = Scope.withoutGradients()) {
        out = inner.escape(a.clone());
      }
      CustomGradient.attach(List.of(a), List.of(out), given -> List.of(torch.ones(5)));
      assertThatThrownBy(() -> out.sum().backward()).hasMessageContaining("gradient 0 is f32[5], its input f32[3, 4]");
    }
  }

  @Test
  void twoHundredStepsLeaveNothingBehind() throws InterruptedException {
    long after5 = 0;
    try (var keep = Scope.open()) {
      var a = leaf();
      for (int step = 0; step < 200; step++) {
        try (var scope = Scope.open()) {
          var outputs = kernel(a, a, a);
          outputs.get(0).sum().add(outputs.get(1).sum()).backward();
        }
        if (step == 5) after5 = LivePointers.count();
      }
      assertThat(LivePointers.count()).isEqualTo(after5);
    }
  }
}
