package dev.walsh.tensor;

import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class BoxedOperatorTest {
  @Test
  void tooFewArgumentsAreRefused() {
    assertThatThrownBy(() -> new BoxedOperator("aten::_fused_sdp_choice", "").call()).hasMessage("0 arguments for an operator of 8");
  }

  @Test
  void anOperatorOutlivesTheScopeItWasFoundIn() {
    BoxedOperator operator;
    try (var scope = Scope.open()) {
      operator = new BoxedOperator("aten::_fused_sdp_choice", "");
    }
    try (var scope = Scope.open()) {
      var q = torch.randn(1, 1, 2, 4);
      long choice = operator.callForInt(new IValue(q), new IValue(q), new IValue(q), new IValue(), new IValue(0.0), new IValue(true),
          new IValue(), new IValue(false));
      assertThat(choice).isEqualTo(torch.SDPBackend.flash_attention.value);
    }
  }
}
