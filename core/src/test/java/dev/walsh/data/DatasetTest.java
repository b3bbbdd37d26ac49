package dev.walsh.data;

import dev.walsh.config.UserError;
import dev.walsh.measure.Progress;
import dev.walsh.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class DatasetTest {
  @TempDir
  Path folder;

  @Test
  void foldersOfOtherProgramsLoadAsTheyAre() throws IOException {
    ShardTest.write(folder.resolve("fineweb_val_000000.bin"), new char[] {7});
    ShardTest.write(folder.resolve("fineweb_train_000002.bin"), new char[] {4, 5});
    ShardTest.write(folder.resolve("fineweb_train_000001.bin"), new char[] {50256, 1, 2, 3});
    Files.writeString(folder.resolve("train.txt"), "no shard");
    try (var dataset = Dataset.open(folder)) {
      var tokens = new char[6];
      dataset.train().read(0, tokens, 6);
      assertThat(tokens).containsExactly((char) 50256, (char) 1, (char) 2, (char) 3, (char) 4, (char) 5);
      assertThat(dataset.val().tokens()).isEqualTo(1);
      assertThat(dataset.tokenizer().name()).isEqualTo("gpt2");
      assertThat(dataset.manifest()).isNull();
      assertThatThrownBy(dataset::verify).isInstanceOf(UserError.class).hasMessage(
          "The folder %s has no dataset.json to verify its shards with: make the dataset with walsh prepare.".formatted(folder));
    }
  }

  @Test
  void foldersWithoutShardsAreNamed() {
    assertThatThrownBy(() -> Dataset.open(folder)).isInstanceOf(UserError.class).hasMessage(
        "The folder %s has no tokens in files named *train*.bin or *val*.bin: make some with walsh prepare INPUT --out DIR."
            .formatted(folder));
    var missing = folder.resolve("missing");
    assertThatThrownBy(() -> Dataset.open(missing)).isInstanceOf(UserError.class).hasMessage(
        "There is no dataset folder %s: make one with walsh prepare INPUT --out %s.".formatted(missing, missing));
  }

  @Test
  void shardsThatDoNotMatchTheManifestAreNamed() throws Exception {
    var text = Files.writeString(folder.resolve("text.txt"), "some text ".repeat(1000));
    var out = folder.resolve("dataset");
    new Preparation(Corpus.of(List.of(text.toString())), out, Tokenizer.of("bytes"), 0.1, 4000, false).run(Progress.quiet());
    var shard = out.resolve("train-00001.bin");
    var sound = Files.readAllBytes(shard);

    var flipped = sound.clone();
    flipped[2000] ^= 1;
    Files.write(shard, flipped);
    try (var dataset = Dataset.open(out)) {
      assertThatThrownBy(dataset::verify).isInstanceOf(UserError.class).hasMessage(
          "The shard %s is not the one that dataset.json describes (its SHA-256 differs): put the right file back, or run walsh prepare again."
              .formatted(shard));
    }

    Files.delete(shard);
    ShardTest.write(shard, new char[] {1, 2, 3});
    assertThatThrownBy(() -> Dataset.open(out)).isInstanceOf(UserError.class).hasMessage(
        "The shard %s has 3 tokens where dataset.json says 4000: put the right file back, or run walsh prepare again.".formatted(shard));

    Files.delete(shard);
    assertThatThrownBy(() -> Dataset.open(out)).isInstanceOf(UserError.class).hasMessage(
        "The shard %s, which dataset.json lists, is missing: put it back, or run walsh prepare again.".formatted(shard));

    Files.write(shard, sound);
    Dataset.open(out).close();
    for (var wrong : List.of("{}", "{\"tokenizer\": \"gpt2\", \"more\": 1}", "no json", "")) {
      Files.writeString(out.resolve(Manifest.FILE), wrong);
      assertThatThrownBy(() -> Dataset.open(out)).isInstanceOf(UserError.class).hasMessageMatching(
          "The file \\Q%s\\E does not describe a dataset of walsh \\(.+\\): run walsh prepare again, or remove the file to use the shards alone\\."
              .formatted(out.resolve(Manifest.FILE)));
    }
  }
}
