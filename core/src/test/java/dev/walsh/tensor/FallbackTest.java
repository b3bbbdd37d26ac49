package dev.walsh.tensor;

import java.util.ArrayList;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class FallbackTest {
  private static final class Recorder extends Handler {
    final ArrayList<String> messages = new ArrayList<>();

    @Override
    public void publish(LogRecord message) {
      messages.add(message.getMessage());
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  }

  @Test
  void whatCannotRunIsLeftToLibtorchWithOneWarning() {
    var logger = Logger.getLogger("walsh");
    var recorder = new Recorder();
    logger.addHandler(recorder);
    logger.setUseParentHandlers(false);
    try {
      for (int i = 0; i < 3; i++) {
        assertThat(Fallback.<String>orNone("Tested kernels", () -> {
          throw new KernelUnavailable("the GPU has too little of everything");
        })).isNull();
      }
      assertThat(recorder.messages).containsExactly(
          "Tested kernels run as separate operators of libtorch, which is slower, since the GPU has too little of everything.");
    } finally {
      logger.removeHandler(recorder);
      logger.setUseParentHandlers(true);
    }
  }

  @Test
  void whatCanRunIsTakenAndOtherFailuresPass() {
    assertThat(Fallback.orNone("Tested kernels", () -> "kernel")).isEqualTo("kernel");
    assertThatThrownBy(() -> Fallback.orNone("Tested kernels", () -> {
      throw new IllegalStateException("a defect");
    })).hasMessage("a defect");
  }
}
