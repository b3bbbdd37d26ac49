package dev.walsh.cli;

import dev.walsh.config.Json;
import dev.walsh.config.Projection;
import dev.walsh.eval.Tasks;
import dev.walsh.train.TinyRun;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;

final class EvalCommandTest {
  @TempDir
  static Path temp;
  private static Path run;
  private static Path exam;

  @BeforeAll
  static void train() throws IOException {
    run = TinyRun.train(temp, "run", Projection.named("hadamard"));
    exam = Files.writeString(temp.resolve("exam.jsonl"), """
        {"query": "line", "choices": ["one", "of the text", "7"], "gold": 1}
        {"query": "of", "choices": ["the text", "a very long answer that no tiny model can read"], "gold": 0}
        {"query": "line 4", "choices": ["0", "of"], "gold": 1}
        """);
    Files.writeString(temp.resolve("lambada_openai.jsonl.txt"), "not it");
    Files.writeString(temp.resolve("lambada_openai.jsonl"), "{\"context\": \"line 1 of the\", \"continuation\": \"text\"}\n");
  }

  @Test
  void aTableAndALineOfJsonAreWritten() throws IOException {
    var out = temp.resolve("scores.json");
    var items = temp.resolve("items.jsonl");
    var outcome = Outcome.of("eval", run, "--tasks", exam + ",lambada", "--tasks-dir", temp, "--dtype", "f32", "--device", "cpu", "--out",
        out,
        "--items", items);
    assertThat(outcome.err()).contains("step 6 of " + run, "tokenizer bytes, prefix token 256 (end of text)", "context 16");
    var lines = outcome.text().lines().toList();
    assertThat(outcome.out()).contains("acc_norm", "perplexity", "lambada", "± is one standard error.");
    var json = Json.LINE.readTree(lines.getLast());
    assertThat(Json.LINE.readTree(Files.readString(out))).isEqualTo(json);
    var first = json.get("tasks").get(0);
    assertThat(first.get("task").stringValue()).isEqualTo(exam.toString());
    assertThat(first.get("items").intValue()).isEqualTo(3);
    assertThat(first.get("truncated").intValue()).isEqualTo(1);
    assertThat(first.get("scores").get("acc").get("chance").doubleValue()).isEqualTo((1 / 3.0 + 0.5 + 0.5) / 3);
    assertThat(json.get("prefixToken").intValue()).isEqualTo(256);
    assertThat(json.get("stamp").get("command").stringValue()).startsWith("./walsh eval");
    var said = Files.readAllLines(items);
    assertThat(said).hasSize(4);
    assertThat(Json.LINE.readTree(said.getFirst()).get("logLikelihoods").size()).isEqualTo(3);
  }

  @Test
  void matricesInBytesChangeScoresALittle() {
    var full = perplexity("full");
    var bytes = perplexity("int8");
    assertThat(bytes).isNotEqualTo(full).isCloseTo(full, withPercentage(5));
  }

  private double perplexity(String weights) {
    var text = Outcome.of("eval", run, "--tasks", "lambada", "--tasks-dir", temp, "--dtype", "f32", "--device", "cpu", "--weights",
        weights);
    var json = Json.LINE.readTree(text.text().lines().toList().getLast());
    assertThat(json.get("weights").stringValue()).isEqualTo(weights);
    return json.get("tasks").get(0).get("scores").get("perplexity").get("value").doubleValue();
  }

  @Test
  void aLimitTakesTheFirstItems() {
    var json = Outcome.of("eval", run, "--tasks", exam, "--limit", 2, "--batch-tokens", 20).text().lines().toList().getLast();
    assertThat(Json.LINE.readTree(json).get("tasks").get(0).get("items").intValue()).isEqualTo(2);
    assertThat(Json.LINE.readTree(json).get("limit").intValue()).isEqualTo(2);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {"--tasks|piqa|The task piqa needs piqa.jsonl", "--tasks|pika|The task 'pika' is unknown; use piqa",
      "--limit|0|--limit is 0", "--out|scores.txt|--out scores.txt must end in .json", "--items|items.txt|must end in .jsonl",
      "--batch-tokens|0|--batch-tokens is 0", "--dtype|f8|--dtype f8 is unknown", "--weights|int4|--weights int4",
      "--step|9|no whole checkpoint of step 9"})
  void badValuesAreOneSentence(String option, String value, String said) {
    if (option.equals("--tasks")) {
      Outcome.of("eval", run, "--tasks-dir", temp, option, value).isMistake(said);
    } else {
      Outcome.of("eval", run, "--tasks", exam, option, value).isMistake(said);
    }
  }

  @Test
  void nothingIsWrittenWhereATaskIsMalformed() throws IOException {
    var bad = Files.writeString(temp.resolve("bad.jsonl"), "{\"query\": \"a\", \"choices\": [\"b\", \"c\"], \"gold\": 2}\n");
    var out = temp.resolve("never.json");
    Outcome.of("eval", run, "--tasks", exam + "," + bad, "--out", out).isMistake("Line 1 of ", "\"gold\" is 2");
    assertThat(out).doesNotExist();
  }

  @Test
  void helpNamesEveryTask() {
    assertThat(Outcome.of("eval", "--help").text()).contains(String.join(", ", Tasks.names()));
  }
}
