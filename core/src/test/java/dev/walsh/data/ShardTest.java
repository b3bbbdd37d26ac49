package dev.walsh.data;

import dev.walsh.config.UserError;
import dev.walsh.files.Sha256;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class ShardTest {
  @TempDir
  Path folder;

  @Property(tries = 50)
  void shardsRoundTrip(@ForAll @Size(max = 200) char[] some) throws IOException {
    var tokens = new char[some.length * 800];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = some[i % some.length];
    }
    var file = Files.createTempFile("shard", ".bin");
    try (var arena = Arena.ofConfined()) {
      var entry = write(file, tokens);
      var shard = Shard.open(file, 1 << 16, arena);
      assertThat(shard.count()).isEqualTo(tokens.length).isEqualTo(entry.tokens());
      var read = new char[tokens.length];
      shard.copy(0, read, 0, tokens.length);
      assertThat(read).isEqualTo(tokens);
      assertThat(Sha256.of(file)).isEqualTo(entry.sha256());
    } finally {
      Files.delete(file);
    }
  }

  @Test
  void theFormatIsThatOfLlmC() throws IOException {
    var file = folder.resolve("a.bin");
    write(file, new char[] {1, 256, 50256});
    var bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    assertThat(bytes.remaining()).isEqualTo(256 * 4 + 3 * 2);
    assertThat(bytes.getInt(0)).isEqualTo(20240520);
    assertThat(bytes.getInt(4)).isEqualTo(1);
    assertThat(bytes.getInt(8)).isEqualTo(3);
    assertThat(bytes.slice(12, 1012).array()).isNotEmpty();
    assertThat(bytes.getShort(1024)).isEqualTo((short) 1);
    assertThat(bytes.getShort(1026)).isEqualTo((short) 256);
    assertThat(bytes.getShort(1028)).isEqualTo((short) 50256);
  }

  @Test
  void badShardsAreNamed() throws IOException {
    var file = folder.resolve("bad.bin");
    assertThat(opening(file))
        .isEqualTo("Cannot read the shard %s (there is no %s): check the path and the permissions.".formatted(file, file));
    Files.write(file, new byte[10]);
    assertThat(opening(file))
        .isEqualTo("The shard %s is too short (10 bytes) for its header of 1024: fetch it again, or make it with walsh prepare."
            .formatted(file));
    field(file, 0, 20240801);
    assertThat(opening(file)).isEqualTo(
        "The file %s is no shard of GPT-2 or byte tokens, as its first number is 20240801 and not 20240520: make one with walsh prepare."
            .formatted(file));
    field(file, 1, 2);
    assertThat(opening(file))
        .isEqualTo("The shard %s has the version 2 and walsh reads version 1: make it again with walsh prepare.".formatted(file));
    field(file, 2, 99);
    assertThat(opening(file)).isEqualTo(
        "The shard %s says to have 99 tokens and so 1222 bytes, but has 200024 bytes: it is truncated or damaged, so fetch or make it again."
            .formatted(file));
    field(file, 2, -1);
    assertThat(opening(file)).contains("-1 tokens");
  }

  @Test
  void tokensBeyondTheVocabularyAreNamed() throws IOException {
    var file = folder.resolve("bad.bin");
    var tokens = new char[100_000];
    tokens[99_500] = 258;
    tokens[99_501] = 300;
    write(file, tokens);
    assertThat(opening(file)).isEqualTo(
        "The shard %s has the token 258 at position 99500, and the vocabulary ends at 256: it was made with another tokenizer or is damaged, so prepare the text again."
            .formatted(file));
  }

  private static String opening(Path file) {
    try (var arena = Arena.ofConfined()) {
      Shard.open(file, 257, arena);
      return "opens";
    } catch (UserError error) {
      return String.valueOf(error.getMessage());
    }
  }

  private static void field(Path file, int field, int value) throws IOException {
    Files.deleteIfExists(file);
    write(file, new char[99_500]);
    var bytes = Files.readAllBytes(file);
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(4 * field, value);
    Files.write(file, bytes);
  }

  static Manifest.Entry write(Path file, char[] tokens) throws IOException {
    try (var writer = new ShardWriter(file, tokens.length)) {
      writer.append(tokens, 0, tokens.length);
      return writer.finish();
    }
  }

  @Test
  void aShardIsWrittenInFullOrNotAtAll() throws IOException {
    try (var writer = new ShardWriter(folder.resolve("a.bin"), 3)) {
      assertThatThrownBy(() -> writer.append(new char[4], 0, 4)).isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(writer::finish).isInstanceOf(IllegalStateException.class);
    }
  }
}
