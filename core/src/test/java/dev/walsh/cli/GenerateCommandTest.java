package dev.walsh.cli;

import dev.walsh.Walsh;
import dev.walsh.config.Projection;
import dev.walsh.train.TinyRun;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

final class GenerateCommandTest {
  @TempDir
  static Path temp;
  private static Path run;

  @BeforeAll
  static void train() {
    run = TinyRun.train(temp, "run", Projection.named("hadamard"));
  }

  @Test
  void thePromptAndItsContinuationAreWritten() {
    var outcome = Outcome.of("generate", run, "--prompt", "line é", "--tokens", 40, "--ignore-eos");
    assertThat(outcome.text()).startsWith("line é").endsWith(System.lineSeparator()).hasSizeGreaterThan(20);
    assertThat(outcome.err()).matches("40 tokens in [\\d.]+ s \\([\\d.]+ tokens/s\\)\\R");
    assertThat(Outcome.of("generate", run, "--prompt", "line é", "--tokens", 40, "--ignore-eos").text()).isEqualTo(outcome.text());
    assertThat(Outcome.of("generate", run, "--prompt", "line é", "--tokens", 40, "--ignore-eos", "--seed", 2, "--temperature", 2).text())
        .isNotEqualTo(outcome.text());
  }

  @Test
  void thePromptMayComeFromStandardInput() {
    var typed = Outcome.of("generate", run, "--prompt", "line 1", "--temperature", 0, "--tokens", 20).text();
    assertThat(Outcome.withInput("line 1".getBytes(UTF_8), "generate", run, "--prompt", "-", "--temperature", 0, "--tokens", 20).text())
        .isEqualTo(typed);
  }

  @Test
  void aPromptLongerThanTheContextIsSaidOnce() {
    var outcome = Outcome.of("generate", run, "--prompt", "line 1 of the text\n".repeat(3), "--tokens", 9, "--top-k", 3);
    assertThat(outcome.text()).startsWith("line 1 of the text\nline 1");
    assertThat(outcome.err()).hasLineCount(2).startsWith("The prompt has 57 tokens and the model sees 16: it goes on with the end of it.");
  }

  @Test
  void anotherCheckpointWritesAnotherText() {
    var first = Outcome.of("generate", run, "--step", 2, "--tokens", 60).text();
    assertThat(Outcome.of("generate", run.resolve("step-00000002"), "--tokens", 60).text()).isEqualTo(first);
    assertThat(Outcome.of("generate", run, "--step", "latest", "--tokens", 60).text()).isNotEqualTo(first);
    assertThat(Outcome.of("generate", run, "--step", "best", "--tokens", 3).text()).isNotNull();
  }

  @ParameterizedTest
  @CsvSource({"--tokens,0,--tokens is 0", "--temperature,-1,--temperature is -1.0; it must be finite and not negative",
      "--top-k,-2,--top-k is -2; it must be positive", "--top-p,0,--top-p is 0.0; it must lie above 0", "--step,first,--step first is no",
      "--step,5,it has those of 2", "--device,tpu,--device tpu is unknown; use auto"})
  void badValuesAreOneSentence(String option, String value, String said) {
    Outcome.of("generate", run, option, value).isMistake(said);
  }

  @Test
  void aFolderWithoutAModelIsOneSentence() {
    Outcome.of("generate", temp.resolve("absent")).isMistake("There is no folder");
    Outcome.of("generate", temp).isMistake("has no whole checkpoint; give the folder of a run");
  }

  @Test
  void aClosedPipeEndsTheText() {
    var closed = new Writer() {
      @Override
      public void write(char[] chars, int offset, int length) throws IOException {
        throw new IOException("Broken pipe");
      }

      @Override
      public void flush() {}

      @Override
      public void close() {}
    };
    var err = new StringWriter();
    int status = Walsh.commandLine().setOut(new PrintWriter(closed)).setErr(new PrintWriter(err)).execute("generate",
        run.toString(), "--prompt", "line");
    assertThat(status).isEqualTo(2);
    assertThat(err.toString()).startsWith("walsh: Standard output was closed");
  }
}
