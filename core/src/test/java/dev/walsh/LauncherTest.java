package dev.walsh;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;

/** The launcher in a project of its own, whose JDK and Maven only write down how they were called. */
@DisabledOnOs(OS.WINDOWS)
final class LauncherTest {
  private static final String USUAL_TOOLS = "/usr/bin:/bin";

  @TempDir
  Path temp;

  private Path root;
  private Path jdk;
  private Path tools;

  /** What a run of the launcher did. */
  private record Outcome(int status, String out, String err) {}

  @BeforeEach
  void makeProject() throws IOException {
    root = Files.createDirectories(temp.resolve("a project"));
    Files.createDirectories(root.resolve("core/src/main"));
    Files.copy(Path.of("..", "pom.xml"), root.resolve("pom.xml"));
    Files.copy(Path.of("pom.xml"), root.resolve("core/pom.xml"));
    // The folders of this machine could hold a JDK, which would be found.
    var launcher = Files.readString(Path.of("..", "walsh")).replace("/usr/lib/jvm/", "/nowhere/").replace("/opt/", "/nowhere/")
        .replace("/Library/Java/", "/nowhere/");
    executable(root.resolve("walsh"), launcher);

    jdk = temp.resolve("jdk");
    Files.createDirectories(jdk);
    Files.writeString(jdk.resolve("release"), "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"25.0.3\"\n");
    executable(jdk.resolve("bin/javac"), "#!/bin/sh\n");
    executable(jdk.resolve("bin/java"), """
        #!/bin/sh
        printf '<%s>' "$@"
        printf '{%s}' "${GOMP_SPINCOUNT-}"
        exit 7
        """);
    tools = temp.resolve("tools");
    executable(tools.resolve("mvn"), """
        #!/bin/sh
        echo "mvn $*" >>calls
        mkdir -p core/target
        echo jar >core/target/walsh.jar
        case $* in *-Pcuda*) name=pytorch-gpu.jar ;; *) name=pytorch.jar ;; esac
        touch "$name"
        printf '%s' "$PWD/$name" >core/target/class-path.txt
        """);
  }

  @Test
  void withoutAJdkItSaysWhatToInstall() throws Exception {
    var outcome = run(Map.of("PATH", ""), "--help");
    assertThat(outcome.err()).isEqualTo("walsh: no JDK 25 found: install one (Eclipse Temurin 25, say) or point JAVA_HOME at it.\n");
    assertThat(outcome.status()).isEqualTo(2);
  }

  @Test
  void anotherJdkIsNone() throws Exception {
    Files.writeString(jdk.resolve("release"), "JAVA_VERSION=\"21.0.4\"\n");
    assertThat(run(Map.of("JAVA_HOME", jdk.toString())).status()).isEqualTo(2);
  }

  @Test
  void withoutMavenItSaysWhatToInstall() throws Exception {
    var outcome = run(Map.of("PATH", "", "JAVA_HOME", jdk.toString()), "--help");
    assertThat(outcome.err()).startsWith("walsh: no Maven on the PATH: install Maven").hasLineCount(1);
    assertThat(outcome.status()).isEqualTo(2);
  }

  @Test
  void unknownNativesAreRefused() throws Exception {
    var outcome = runBuilt(Map.of("WALSH_NATIVES", "tpu"), "doctor");
    assertThat(outcome.err()).isEqualTo("walsh: WALSH_NATIVES is 'tpu': set it to cpu or cuda, or leave it out.\n");
    assertThat(outcome.status()).isEqualTo(2);
  }

  @Test
  void buildsOnceThenAgainOnlyForNewerSources() throws Exception {
    assertThat(runBuilt(Map.of(), "train").err()).startsWith("walsh: building").hasLineCount(1);
    assertThat(runBuilt(Map.of(), "train").err()).isEmpty();
    Files.setLastModifiedTime(Files.createFile(root.resolve("core/src/main/New.java")), FileTime.from(Instant.now().plusSeconds(60)));
    assertThat(runBuilt(Map.of(), "train").err()).startsWith("walsh: building");
    assertThat(calls()).hasSize(2);
  }

  @Test
  void otherNativesAreAnotherBuild() throws Exception {
    assertThat(runBuilt(Map.of(), "train").out()).doesNotContain("-gpu");
    var cuda = runBuilt(Map.of("WALSH_NATIVES", "cuda"), "train");
    assertThat(cuda.out()).contains("<-Dorg.bytedeco.javacpp.platform.extension=-gpu>", "pytorch-gpu.jar");
    assertThat(calls()).hasSize(2).last().asString().contains("-Pcuda");
  }

  @Test
  void aBuildThatFailsShowsMavensWords() throws Exception {
    executable(tools.resolve("mvn"), "#!/bin/sh\necho compilation error\nexit 1\n");
    var outcome = runBuilt(Map.of(), "--help");
    assertThat(outcome.err()).contains("compilation error\n").endsWith("walsh: the build failed; Maven's own words are above.\n");
    assertThat(outcome.status()).isEqualTo(1);
  }

  @Test
  void computesWithTheFlagsOfThePom() throws Exception {
    var outcome = runBuilt(Map.of(), "generate", "--prompt", "two words");
    assertThat(outcome.out()).startsWith("<--add-modules><jdk.incubator.vector><--enable-native-access=ALL-UNNAMED>"
        + "<-Dorg.bytedeco.javacpp.maxPhysicalBytes=0><-Dorg.bytedeco.javacpp.maxBytes=0>")
        .endsWith("<dev.walsh.Walsh><generate><--prompt><two words>{10000}").contains("a project/core/target/launch/walsh.jar:");
    assertThat(outcome.status()).isEqualTo(7);
    assertThat(runBuilt(Map.of("GOMP_SPINCOUNT", "5"), "train").out()).endsWith("{5}");
  }

  @Test
  void helpsWithoutTheFlagsThatSlowTheStart() throws Exception {
    for (var arguments : List.of(List.<String>of(), List.of("--help"), List.of("train", "-h"), List.of("--version"))) {
      assertThat(runBuilt(Map.of(), arguments.toArray(String[]::new)).out()).contains("<-XX:+UseSerialGC>", "<-XX:AOTCache=")
          .doesNotContain("--add-modules");
    }
  }

  @Test
  void startsThroughALinkFromAnotherFolder() throws Exception {
    var bin = Files.createDirectories(temp.resolve("bin"));
    Files.createSymbolicLink(bin.resolve("first"), Path.of("../a project/walsh"));
    var link = Files.createSymbolicLink(bin.resolve("second"), Path.of("first"));
    var outcome = start(List.of("/bin/sh", link.toString(), "train"), environment(Map.of()));
    assertThat(outcome.out()).endsWith("<train>{10000}");
  }

  private List<String> calls() throws IOException {
    return Files.readAllLines(root.resolve("calls"));
  }

  private Map<String, String> environment(Map<String, String> more) {
    var all = new java.util.HashMap<>(Map.of("JAVA_HOME", jdk.toString(), "PATH", tools + ":" + USUAL_TOOLS, "WALSH_NATIVES", "cpu"));
    all.putAll(more);
    return all;
  }

  private Outcome runBuilt(Map<String, String> environment, String... arguments) throws Exception {
    return run(environment(environment), arguments);
  }

  private Outcome run(Map<String, String> environment, String... arguments) throws Exception {
    var command = new ArrayList<>(List.of("/bin/sh", root.resolve("walsh").toString()));
    command.addAll(List.of(arguments));
    return start(command, environment);
  }

  private Outcome start(List<String> command, Map<String, String> environment) throws Exception {
    var builder = new ProcessBuilder(command).directory(temp.toFile()).redirectOutput(temp.resolve("out").toFile())
        .redirectError(temp.resolve("err").toFile());
    builder.environment().clear();
    builder.environment().put("HOME", temp.resolve("home").toString());
    builder.environment().putAll(environment);
    var process = builder.start();
    assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
    return new Outcome(process.exitValue(), Files.readString(temp.resolve("out")), Files.readString(temp.resolve("err")));
  }

  private static void executable(Path path, String script) throws IOException {
    Files.createDirectories(path.getParent());
    Files.writeString(path, script);
    assertThat(path.toFile().setExecutable(true)).isTrue();
  }
}
