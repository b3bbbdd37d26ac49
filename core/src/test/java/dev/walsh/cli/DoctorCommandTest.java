package dev.walsh.cli;

import dev.walsh.Walsh;
import dev.walsh.config.Json;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

final class DoctorCommandTest {
  @Test
  void printsOneLineOfJson() {
    var out = run("doctor", "--json");
    assertThat(out).hasLineCount(1);
    var checkup = Json.LINE.readTree(out);
    assertThat(checkup.at("/libtorch/version").asString()).isEqualTo("2.10.0");
    assertThat(checkup.at("/machine/cpu/cores").asInt()).isPositive();
    assertThat(checkup.at("/rates/cpu/float32").asDouble()).isPositive();
  }

  @Test
  void printsAMarkForEachFinding() {
    assertThat(run("doctor")).contains("✓ JDK ", "✓ libtorch ", "✓ speed of cpu ");
  }

  private static String run(String... arguments) {
    var out = new StringWriter();
    var status = Walsh.commandLine().setOut(new PrintWriter(out)).execute(arguments);
    assertThat(status).isZero();
    return out.toString();
  }
}
