package dev.walsh.kernels.hla;

import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.LivePointers;
import dev.walsh.tensor.Scope;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class HlaStateTest {
  @ParameterizedTest
  @EnumSource
  void stepsInScopesOfTheirOwnAreTheWholeSequence(HlaCase kind) {
    for (var dtype : new Dtype[] {Dtype.F64, Dtype.F32, Dtype.BF16}) {
      try (var scope = Scope.withoutGradients()) {
        long n = 23;
        var sample = Sample.of(kind.spec(true), dtype, n);
        var outs = new TensorVector();
        try (var state = sample.hla().start(Sample.BATCH)) {
          long bytes = state.bytes();
          for (long t = 0; t < n; t++) {
            try (var inner = Scope.withoutGradients()) {
              outs.push_back(sample.hla().step(sample.q().narrow(2, t, 1), sample.k().narrow(2, t, 1), sample.v().narrow(2, t, 1), state));
            }
          }
          assertThat(state.bytes()).isEqualTo(bytes);
          assertThat(state.position()).isEqualTo(n);
        }
        double tolerance = switch (dtype) {
          case F64 -> 1e-11;
          case F32 -> 1e-5;
          default -> 3e-2;
        };
        Sample.assertClose(dtype.toString(), torch.cat(outs, 2), sample.hla().chunked(sample.q(), sample.k(), sample.v(), null, 8),
            tolerance);
      }
    }
  }

  @Test
  void theStateTakesWhatTheSpecificationSays() {
    var spec = HlaCase.TIED_3.spec(true);
    var sample = Sample.of(spec, Dtype.BF16, 1);
    try (var state = sample.hla().start(5)) {
      assertThat(state.bytes()).isEqualTo(5 * HlaCase.HEADS * spec.stateBytes());
    }
  }

  @Test
  void aThousandStepsLeaveNothingBehind() throws InterruptedException {
    var sample = Sample.of(HlaCase.EXP_TIED_2.spec(true), Dtype.F32, 1);
    try (var state = sample.hla().start(Sample.BATCH)) {
      long before = 0;
      for (int i = 0; i < 1000; i++) {
        try (var scope = Scope.withoutGradients()) {
          sample.hla().step(sample.q(), sample.k(), sample.v(), state);
        }
        if (i == 5) before = LivePointers.count();
      }
      assertThat(LivePointers.count()).isEqualTo(before);
    }
  }

  @Test
  void trainingStepsLeaveNothingBehind() throws InterruptedException {
    long before = 0;
    try (var keep = Scope.open()) {
      var sample = Sample.of(HlaCase.ROTATED_EXP_2.spec(true), Dtype.BF16, 40);
      for (int i = 0; i < 30; i++) {
        try (var scope = Scope.open()) {
          sample.gradients(sample.apply(Form.CHUNKED, null));
          sample.gradients(sample.apply(Form.QUADRATIC, null));
        }
        if (i == 5) before = LivePointers.count();
      }
      assertThat(LivePointers.count()).isEqualTo(before);
    }
  }

  @Test
  void formsThatAttentionDoesNotHaveAreRefused() {
    try (var scope = Scope.withoutGradients()) {
      var causal = Sample.of(HlaCase.SOFTPLUS_1.spec(true), Dtype.F32, 2);
      var bidirectional = Sample.of(HlaCase.SOFTPLUS_1.spec(false), Dtype.F32, 2);
      assertThatThrownBy(() -> causal.apply(Form.LINEAR, null)).hasMessageContaining("attention is causal");
      assertThatThrownBy(() -> bidirectional.apply(Form.CHUNKED, null)).hasMessageContaining("bidirectional");
      assertThatThrownBy(() -> bidirectional.hla().start(1)).hasMessageContaining("bidirectional");
      try (var state = causal.hla().start(Sample.BATCH)) {
        assertThatThrownBy(() -> causal.hla().step(causal.q(), causal.k(), causal.v(), state)).hasMessage("a step is one token, not 2");
      }
      assertThatThrownBy(() -> causal.hla().apply(causal.q(), causal.k(), causal.v().narrow(3, 0, 2), null))
          .hasMessageContaining("of 2 heads of 6 channels");
      assertThatThrownBy(() -> causal.apply(Form.QUADRATIC, Sample.mask(3))).hasMessageContaining("a key mask of [2, 3]");
    }
  }
}
