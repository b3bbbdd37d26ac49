package dev.walsh.measure;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

final class ProgressTest {
  @Test
  void whatIsNoTerminalGetsOneLineAtTheEnd() {
    var shown = shown(() -> {
      try (var progress = Progress.start("count", "steps", 4000)) {
        IntStream.range(0, 4000).parallel().forEach(_ -> progress.step(1));
        progress.note("done");
      }
    });
    assertThat(shown.lines()).singleElement().asString().startsWith("count 100% [").contains("] 4000/4000 steps (").endsWith(" done");
    assertThat(shown).doesNotContain("\r");
  }

  @Test
  void bytesAreShownInMegabytesAndAnUnknownTotalAsAQuestion() {
    assertThat(shown(() -> {
      try (var progress = Progress.startBytes("read", -1)) {
        progress.stepTo(5_000_000);
      }
    })).contains("5/? MB");
  }

  @Test
  void quietProgressIsQuiet() {
    assertThat(shown(() -> {
      try (var progress = Progress.quiet()) {
        progress.step(1);
        progress.stepTo(2);
        progress.note("note");
      }
    })).isEmpty();
  }

  private static String shown(Runnable task) {
    var before = System.err;
    var shown = new ByteArrayOutputStream();
    System.setErr(new PrintStream(shown, true, UTF_8));
    try {
      task.run();
    } finally {
      System.setErr(before);
    }
    return shown.toString(UTF_8);
  }
}
