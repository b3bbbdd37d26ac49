package dev.walsh;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;

/** Help is quick because it loads neither libtorch nor the Vector API, which the launcher does not even offer it. */
final class HelpTest {
  /** Asks for the help of the program and of every verb, as one process. */
  static final class AskForAll {
    private AskForAll() {}

    public static void main(String[] args) {
      int status = Walsh.commandLine().execute("--help");
      for (var verb : Walsh.commandLine().getSubcommands().keySet()) {
        status |= Walsh.commandLine().execute(verb, "--help");
      }
      System.exit(status);
    }
  }

  @Test
  void loadsNoNatives(@TempDir Path temp) throws Exception {
    var loaded = temp.resolve("classes");
    var java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    var process = new ProcessBuilder(java, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xlog:class+load:file=classes", "-cp",
        System.getProperty("java.class.path"), AskForAll.class.getName()).directory(temp.toFile()).redirectErrorStream(true)
        .redirectOutput(temp.resolve("out").toFile()).start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(Files.readString(temp.resolve("out"))).isZero();
    assertThat(Files.readString(loaded)).contains("dev.walsh.Walsh").doesNotContain(" org.bytedeco.", " jdk.incubator.vector.");
  }
}
