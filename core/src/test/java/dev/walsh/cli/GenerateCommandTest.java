package dev.walsh.cli;

import dev.walsh.Walsh;
import dev.walsh.config.Json;
import dev.walsh.config.Projection;
import dev.walsh.train.TinyRun;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

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
    var outcome = Outcome.of("generate", run, "--prompt", "line é", "--tokens", 9, "--ignore-eos", "--dtype", "f32");
    assertThat(outcome.text()).startsWith("line é").endsWith(System.lineSeparator()).hasSizeGreaterThan(7);
    assertThat(outcome.err()).matches("9 tokens in [\\d.]+ s \\([\\d.]+ tokens/s\\)\\R");
    assertThat(Outcome.of("generate", run, "--prompt", "line é", "--tokens", 9, "--ignore-eos", "--dtype", "f32").text())
        .isEqualTo(outcome.text());
    assertThat(Outcome.of("generate", run, "--prompt", "line é", "--tokens", 9, "--ignore-eos", "--seed", 2, "--temperature", 2).text())
        .isNotEqualTo(outcome.text());
  }

  @Test
  void thePromptMayComeFromStandardInput() {
    var typed = Outcome.of("generate", run, "--prompt", "line 1", "--temperature", 0, "--tokens", 20).text();
    assertThat(Outcome.withInput("line 1".getBytes(UTF_8), "generate", run, "--prompt", "-", "--temperature", 0, "--tokens", 20).text())
        .isEqualTo(typed);
  }

  @Test
  void aPromptLongerThanTheContextIsRefusedAndAFullContextEndsTheText() {
    Outcome.of("generate", run, "--prompt", "line 1 of the text\n".repeat(3), "--tokens", 9)
        .isMistake("The prompt has 57 tokens and the model sees 16; shorten it");
    var full = Outcome.of("generate", run, "--prompt", "line 1 of", "--tokens", 90, "--ignore-eos");
    assertThat(full.err()).startsWith("8 tokens in ").endsWith("; the model sees no more tokens" + System.lineSeparator());
  }

  @Test
  void manyPromptsBecomeLinesOfJson() throws IOException {
    var file = Files.writeString(temp.resolve("prompts.jsonl"), """
        {"prompt": "line 1"}
        {"prompt": "line 1", "temperature": 0, "tokens": 3}
        {"ids": [108, 105], "seed": 4}
        {"ids": [108, 999]}
        {"prompt": "much too long for the context"}
        {"prompt": "a", "temperature": -1}
        {"prompt": "a", "top_p": 1.5}
        {"prompt": ""}
        {"prompt": "a", "colour": 1}
        {"tokens": 3}
        no JSON
        {"prompt": "a", "tokens": 0}
        """);
    var outcome = Outcome.of("generate", run, "--prompts", file, "--tokens", 5, "--ignore-eos", "--batch", 3);
    var lines = outcome.text().lines().map(Json.LINE::readTree).sorted(Comparator.comparingInt(line -> line.get("index").asInt())).toList();
    assertThat(lines).hasSize(12);
    assertThat(lines.get(0).get("tokens").asInt()).isEqualTo(5);
    assertThat(lines.get(0).get("ending").asString()).isEqualTo("length");
    assertThat(lines.get(1).get("tokens").asInt()).isEqualTo(3);
    assertThat(lines.get(2).get("tokens").asInt()).isEqualTo(5);
    assertError(lines, 3, "Token 1 of the prompt is 999; the model's tokens are 0 to 256");
    assertError(lines, 4, "The prompt has 29 tokens and the model sees 16");
    assertError(lines, 5, "the temperature is -1.0; it must be finite and not negative");
    assertError(lines, 6, "top-p is 1.5");
    assertThat(lines.get(7).get("tokens").asInt()).isEqualTo(5);
    assertError(lines, 8, "colour");
    assertError(lines, 9, "A line needs a prompt or ids");
    assertError(lines, 10, "This is no line of JSON");
    assertError(lines, 11, "must be positive");
    assertThat(outcome.err()).startsWith("18 tokens in ");
    var again = Outcome.of("generate", run, "--prompts", file, "--tokens", 5, "--ignore-eos", "--batch", 1).text();
    assertThat(again.lines().sorted()).containsExactlyElementsOf(outcome.text().lines().sorted().toList());
  }

  private static void assertError(List<JsonNode> lines, int index, String said) {
    assertThat(lines.get(index).get("error").asString()).contains(said);
  }

  @Test
  void weightsMayBeBytes() {
    assertThat(Outcome.of("generate", run, "--prompt", "line 1", "--tokens", 5, "--weights", "int8").text()).startsWith("line 1");
  }

  @Test
  void linesOfTextArePromptsToo() throws IOException {
    var file = Files.writeString(temp.resolve("prompts.txt"), "line 1\nline 22\n");
    assertThat(Outcome.of("generate", run, "--prompts", file, "--tokens", 3).text()).hasLineCount(2);
    Outcome.of("generate", run, "--prompts", Files.writeString(temp.resolve("empty.txt"), "")).isMistake("has no prompts");
    Outcome.of("generate", run, "--prompts", temp.resolve("absent.txt")).isMistake("Cannot read the prompts");
    Outcome.of("generate", run, "--prompts", file, "--prompt", "x").isMistake("exclude one another");
  }

  @Test
  void anotherCheckpointWritesAnotherText() {
    var first = Outcome.of("generate", run, "--step", 2, "--tokens", 60).text();
    assertThat(Outcome.of("generate", run.resolve("step-00000002"), "--tokens", 60).text()).isEqualTo(first);
    assertThat(Outcome.of("generate", run, "--step", "latest", "--tokens", 60).text()).isNotEqualTo(first);
    assertThat(Outcome.of("generate", run, "--step", "best", "--tokens", 3).text()).isNotNull();
  }

  @ParameterizedTest
  @CsvSource({"--tokens,0,--tokens is 0", "--temperature,-1,the temperature is -1.0; it must be finite and not negative",
      "--batch,0,--batch is 0",
      "--weights,int4,--weights int4 is unknown", "--top-k,-2,top-k is -2; it must be positive",
      "--top-p,0,top-p is 0.0; it must lie above 0", "--step,first,--step first is no",
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
