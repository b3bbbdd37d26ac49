package dev.walsh.tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch_cuda;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

final class CudaGraphTest {
  @BeforeEach
  void thereIsAGpu() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
  }

  private static Tensor random(long... shape) {
    return torch.randn(shape, Device.CUDA.options(Dtype.F32));
  }

  @Test
  void aReplayRunsTheWorkOnWhatItsInputsHoldNow() {
    try (var scope = Scope.withoutGradients()) {
      var x = random(64, 64);
      var outputs = new ArrayList<Tensor>();
      Runnable work = () -> {
        try (var inner = Scope.open()) {
          outputs.add(inner.escape(x.mm(x).mul(new Scalar(2))));
        }
      };
      CudaGraph.warmUp(work);
      try (var graph = CudaGraph.capture(work)) {
        for (int i = 0; i < 3; i++) {
          x.copy_(random(64, 64));
          graph.replay();
          assertThat(torch.allclose(outputs.getLast(), x.mm(x).mul(new Scalar(2)))).isTrue();
        }
      }
      assertThat(outputs).hasSize(2);
    }
  }

  @Test
  void aBackwardPassIsCapturedWithOurOwnGradientsInIt() {
    try (var scope = Scope.open()) {
      var w = random(32, 32).set_requires_grad(true);
      var x = random(16, 32);
      Runnable work = () -> {
        try (var inner = Scope.open()) {
          var y = x.mm(w);
          Tensor doubled;
          try (var kernel = Scope.withoutGradients()) {
            doubled = kernel.escape(y.mul(new Scalar(2)));
          }
          CustomGradient.attach(List.of(y), List.of(doubled),
              given -> List.of(Objects.requireNonNull(given.getFirst()).mul(new Scalar(2))));
          doubled.pow(new Scalar(2)).sum().backward();
        }
      };
      CudaGraph.warmUp(work);
      w.mutable_grad().zero_();
      try (var graph = CudaGraph.capture(work)) {
        graph.replay();
        graph.replay();
        x.copy_(random(16, 32));
        w.mutable_grad().zero_();
        graph.replay();
        // The sum of (2·x·w)² has the gradient 8·xᵀ·x·w.
        var expected = x.t().mm(x.mm(w.detach())).mul(new Scalar(8));
        assertThat(torch.allclose(w.grad(), expected, 1e-3, 1e-3, false)).isTrue();
      }
    }
  }

  @Test
  void memoryOfACaptureBelongsToItsGraphUntilItCloses() {
    try (var scope = Scope.withoutGradients()) {
      var x = random(1 << 20);
      var inside = new ArrayList<Long>();
      Runnable work = () -> {
        try (var inner = Scope.open()) {
          inside.add(x.add(x).data_ptr().address());
        }
      };
      CudaGraph.warmUp(work);
      inside.clear();
      try (var graph = CudaGraph.capture(work)) {
        for (int i = 0; i < 50; i++) {
          assertThat(inside).doesNotContain(random(1 << 20).data_ptr().address());
        }
      }
      long before = free();
      for (int i = 0; i < 20; i++) {
        CudaGraph.capture(work).close();
      }
      assertThat(free()).isEqualTo(before);
    }
  }

  private static long free() {
    return torch_cuda.getAllocator().getMemoryInfo((byte) 0).first();
  }

  @Test
  void aCaptureThatFailsLeavesNothingBehind() {
    try (var scope = Scope.withoutGradients()) {
      var x = random(8);
      assertThatThrownBy(() -> CudaGraph.capture(() -> {
        x.add_(x);
        throw new IllegalStateException("the work failed");
      })).hasMessage("the work failed");
      assertThatThrownBy(() -> CudaGraph.capture(() -> x.sum().item_float())).isInstanceOf(RuntimeException.class);
      var before = x.clone();
      try (var graph = CudaGraph.capture(() -> x.add_(x))) {
        graph.replay();
      }
      assertThat(torch.allclose(x, before.mul(new Scalar(2)))).isTrue();
    }
  }

  @Test
  void aClosedGraphIsRefused() {
    try (var scope = Scope.withoutGradients()) {
      var x = random(8);
      var graph = CudaGraph.capture(() -> x.add_(x));
      graph.close();
      graph.close();
      assertThatThrownBy(graph::replay).hasMessageContaining("closed");
    }
  }
}
