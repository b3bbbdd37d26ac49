package dev.walsh.kernels.wht;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

/** A JVM without the Vector API runs the reference, warns once and names the flag. */
final class FallbackTest {
  /** What the child process runs. */
  static final class Program {
    private Program() {}

    public static void main(String[] args) {
      IO.println(Wht.create(HadamardFactors.of(12, 1)).getClass().getSimpleName());
      IO.println(HadamardJoin.full(HadamardFactors.of(12, 1), 1e-5).getClass().getSimpleName());
    }
  }

  @Test
  void withoutTheVectorApiTheReferenceRunsAndAWarningNamesTheFlag() throws Exception {
    var java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    var process = new ProcessBuilder(java, "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"),
        Program.class.getName()).redirectErrorStream(true).start();
    var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    assertThat(output.lines()).contains("Reference", "ReferenceJoin");
    assertThat(output.split("--add-modules jdk.incubator.vector", -1)).as(output).hasSize(2);
  }
}
