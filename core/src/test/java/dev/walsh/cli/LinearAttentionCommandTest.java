package dev.walsh.cli;

import dev.walsh.train.TinyRun;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;

/** A model of linear attention from training to text. */
final class LinearAttentionCommandTest {
  private static final String MODEL = """
      {"layers": 2, "width": 24, "heads": 2, "hidden": 64, "context": 64, "vocabulary": 257,
       "projection": {"mix": "hadamard", "alpha": true, "beta": true}}""";
  @TempDir
  static Path folder;

  private static Path model() throws Exception {
    return Files.writeString(folder.resolve("model.json"), MODEL);
  }

  @ParameterizedTest
  @CsvSource({"hla,'hla of 2 factors of rank 8 (softplus)'", "cosformer,cosformer"})
  void whatIsTrainedIsShownAndGoesOnWithTextButHasNoPlaceInLlama(String name, String words) throws Exception {
    var run = folder.resolve(name);
    Object[] common = {"train", "--model", model(), "--data", TinyRun.data(folder), "--out", run, "--tokens", "4K", "--device", "cpu",
        "--batch-tokens", "128", "--attention", name};
    var trained = name.equals("hla") ? Outcome.of(with(common, "--rank", 8)) : Outcome.of(common);
    assertThat(trained.text()).contains("Done: 32 steps");
    assertThat(trained.err()).contains("hadamard, " + words);
    assertThat(Outcome.of("info", run).text()).contains("hadamard, " + words);
    Object[] generate = {"generate", run, "--prompt", "line", "--tokens", 40, "--ignore-eos", "--temperature", 0, "--dtype", "f32"};
    var text = Outcome.of(generate).text();
    assertThat(text).startsWith("line").hasSizeGreaterThan(40);
    assertThat(Outcome.of(generate).text()).isEqualTo(text);
    assertThat(Outcome.of(with(generate, "--weights", "int8")).text()).startsWith("line");
    Outcome.of("export", run, "--out", folder.resolve("never")).isMistake("the model's attention is " + words,
        "export a model with softmax attention");
    Outcome.of("train", "--out", run, "--resume", "--attention", "softmax").isMistake("leave out the options");
  }

  private static Object[] with(Object[] some, Object... more) {
    return Stream.concat(Arrays.stream(some), Arrays.stream(more)).toArray();
  }

  @Test
  void mistakesAreOneSentence() throws Exception {
    var out = folder.resolve("none");
    Object[] train = {"train", "--model", "124M", "--data", TinyRun.data(folder), "--out", out, "--device", "cpu"};
    Outcome.of(with(train, "--attention", "sparse")).isMistake("the attention 'sparse' is unknown", "softmax, hla, katharopoulos");
    Outcome.of(with(train, "--factors", 2)).isMistake("--factors is an option of Hadamard linear attention; add --attention hla");
    Outcome.of(with(train, "--attention", "based", "--rank", 2)).isMistake("--rank is an option of Hadamard linear attention");
    Outcome.of(with(train, "--attention", "hla", "--factors", 4)).isMistake("4 factors", "use 1 to 3");
    Outcome.of(with(train, "--attention", "hla", "--rank", 0)).isMistake("the rank", "must be positive");
    Outcome.of(with(train, "--attention", "hla", "--map", "cosine")).isMistake("--map cosine is unknown", "softplus, exp, relu");
    Outcome.of(with(train, "--attention", "hla", "--factors", 3, "--rank", 128)).isMistake("128 × 128 × 128 features",
        "545,259,520 bytes a head", "lower the ranks");
    Outcome.of(with(train, "--attention", "hla", "--map", "affine")).isMistake("can be negative", "tie an even number of factors");
    assertThat(Outcome.of(with(train, "--attention", "hla", "--map", "affine", "--tie", "both", "--dry-run")).err())
        .contains("hla of 2 factors of rank 16 (affine, tied both)");
    assertThat(out).doesNotExist();
  }
}
