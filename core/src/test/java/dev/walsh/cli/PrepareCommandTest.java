package dev.walsh.cli;

import dev.walsh.Walsh;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;

final class PrepareCommandTest {
  @TempDir
  Path folder;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @Test
  void preparesAndSummarizes() throws Exception {
    var text = Files.writeString(folder.resolve("text.txt"), "some text ".repeat(1000));
    var dataset = folder.resolve("data set");
    assertThat(run("prepare", text.toString(), "--out", dataset.toString(), "--tokenizer", "bytes", "--val-fraction", "0.1",
        "--shard-tokens", "4K"))
        .as(err.toString()).isZero();
    assertThat(dataset).isDirectoryContaining("glob:**/{train-00000,train-00001,train-00002,val-00000}.bin");
    assertThat(out.toString().lines().skip(1)).containsExactly("10,002 tokens of bytes, 1.00 bytes a token",
        "  train           9,001 tokens (90%) of 1 document in 3 shards",
        "  val             1,001 tokens (10%) of 1 document in 1 shard",
        "As there are fewer than 20 documents, the last 10% of each is held out, and no whole document.", "",
        "Next: walsh train --model nano --data '%s' --out run".formatted(dataset));
    assertThat(out.toString()).startsWith("1 document, 0.0 MB of text in ");
  }

  @Test
  void helpShowsExamples() {
    assertThat(run("prepare", "--help")).isZero();
    assertThat(out.toString()).contains("Usage: walsh prepare", "--tokenizer", "--val-fraction", "--shard-tokens", "--force",
        "walsh prepare book.txt --out data/book");
  }

  @Test
  void mistakesAreOneSentenceAndStatusTwo() throws Exception {
    assertThat(run("prepare", "missing.txt", "--out", folder.resolve("x").toString())).isEqualTo(2);
    assertThat(err).hasToString("walsh: There is no file or folder missing.txt: check the path.\n");
    var text = Files.writeString(folder.resolve("text.txt"), "text").toString();
    assertThat(failure("--tokenizer", "gpt5", text)).isEqualTo("walsh: There is no tokenizer 'gpt5': use gpt2 or bytes.");
    assertThat(failure("--shard-tokens", "1.5", text)).startsWith("walsh: Invalid value for option '--shard-tokens'").endsWith(
        "'1.5' is no count: write it like 4096, 64K, 1.5M or 2B");
    assertThat(failure()).startsWith("walsh: Missing required parameter: 'INPUT");
  }

  @Test
  void countsHaveSuffixes() {
    var converter = new CountConverter();
    assertThat(converter.convert("4096")).isEqualTo(4096);
    assertThat(converter.convert("64k")).isEqualTo(64_000);
    assertThat(converter.convert("1.5M")).isEqualTo(1_500_000);
    assertThat(converter.convert("2B")).isEqualTo(2_000_000_000);
  }

  private String failure(String... more) {
    err.getBuffer().setLength(0);
    var arguments = new String[more.length + 3];
    arguments[0] = "prepare";
    System.arraycopy(more, 0, arguments, 1, more.length);
    arguments[more.length + 1] = "--out";
    arguments[more.length + 2] = folder.resolve("x").toString();
    assertThat(run(arguments)).isEqualTo(2);
    return err.toString().lines().findFirst().orElse("");
  }

  private int run(String... arguments) {
    return Walsh.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true)).execute(arguments);
  }
}
