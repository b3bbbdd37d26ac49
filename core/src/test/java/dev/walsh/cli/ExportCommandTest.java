package dev.walsh.cli;

import dev.walsh.config.Projection;
import dev.walsh.train.TinyRun;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;

final class ExportCommandTest {
  @TempDir
  static Path temp;
  private static Path run;

  @BeforeAll
  static void train() {
    run = TinyRun.train(temp, "run", Projection.named("hadamard"));
  }

  @Test
  void saysWhatWasWrittenAndWhatElseIsNeeded() {
    var out = temp.resolve("llama");
    assertThat(Outcome.of("export", run, "--layout", "llama", "--out", out, "--step", 4, "--dtype", "bf16").text())
        .isEqualToNormalizingNewlines("""
        Step 4 of %s, in %s: model.safetensors (bf16), config.json, generation_config.json
        The hadamard projection is written out as the dense matrix that it stands for.
        Its offset beta is o_proj.bias, under attention_bias: true; a program that ignores that flag, as Jlama 0.8.4 does, computes another function.
        Tokens are the bytes of the text, 0 to 255; end of text is 256.
        Ids 257 to 319 are padding and stand for no text; a program that does not read generation_config.json must be told not to sample them.
        """.formatted(run, out));
    assertThat(out.resolve("model.safetensors")).isNotEmptyFile();
    assertThat(out.resolve("config.json")).isNotEmptyFile();
    Outcome.of("export", run, "--out", out).isMistake("exists already; choose another name");
  }

  @Test
  void badValuesAreOneSentence() {
    var out = temp.resolve("never");
    Outcome.of("export", run, "--layout", "gguf", "--out", out).isMistake("--layout gguf is unknown; use llama");
    Outcome.of("export", run, "--dtype", "f16", "--out", out).isMistake("--dtype f16 is unknown; use f32 or bf16");
    Outcome.of("export", run, "--step", "9", "--out", out).isMistake("no whole checkpoint of step 9; it has those of 2, 4, 6");
    Outcome.of("export", temp.resolve("absent"), "--out", out).isMistake("There is no folder");
    assertThat(out).doesNotExist();
  }
}
