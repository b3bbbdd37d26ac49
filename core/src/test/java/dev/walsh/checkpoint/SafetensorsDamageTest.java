package dev.walsh.checkpoint;

import dev.walsh.config.UserError;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

/** Whatever is wrong with a file is a sentence that names it, and never a wrong tensor or a crash. */
final class SafetensorsDamageTest {
  @TempDir
  Path folder;

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
      "[]                                                                                             | 0  | is not a JSON object",
      "{\"a\":                                                                                        | 0  | is not JSON",
      "{} {}                                                                                          | 0  | is not JSON",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}} | 4 | Duplicate",
      "{\"a\":{\"dtype\":\"F7\",\"shape\":[1],\"data_offsets\":[0,4]}}                                | 4  | tensor 'a' has the element type 'F7'",
      "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}                                                 | 4  | tensor 'a' has the element type ''",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}                               | 4  | tensor 'a' of type F32 and shape [2] needs 8 bytes and has 4",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}                               | 3  | tensor 'a' ends at byte 4 of the data, which has only 3",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}                               | 5  | 1 bytes at its end belong to no tensor",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}                               | 6  | 2 bytes before tensor 'a' belong to no tensor",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}} | 6 | tensor 'b' overlaps",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}                               | 4  | tensor 'a' is described by",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}                                 | 4  | tensor 'a' is described by",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}                       | 4  | tensor 'a' is described by",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}                              | 4  | tensor 'a' has -1 in its shape",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}                             | 4  | tensor 'a' has 1.0 in its shape",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}                                 | 4  | tensor 'a' has no list of numbers as its shape",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,99999999999999999999]}}            | 4  | in its data_offsets",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}           | 0  | tensor 'a' has the impossible shape",
      "{\"a\":7}                                                                                      | 0  | tensor 'a' has the element type",
      "{\"__metadata__\":{\"a\":1}}                                                                   | 0  | 'a' is not a string",
      "{\"__metadata__\":[]}                                                                          | 0  | is not an object"})
  void aWrongHeaderIsNamed(String header, int dataBytes, String message) throws IOException {
    assertRefused(file(header.length(), header, dataBytes), message);
  }

  @ParameterizedTest
  @CsvSource({"-1, announces a header of 18446744073709551615 bytes", "100000001, announces a header", "0, announces a header",
      "9223372036854775807, announces a header", "3, ends beyond the file"})
  void aWrongHeaderLengthIsNamed(long length, String message) throws IOException {
    assertRefused(file(length, "{}", 0), message);
  }

  @Test
  void everyTruncationIsNoticed() throws IOException {
    var file = folder.resolve("whole.safetensors");
    Safetensors.write(file, Map.of("a", TensorBytes.zeros(StoredType.F32, 3), "b", TensorBytes.zeros(StoredType.I8, 3)), Map.of());
    var whole = Files.readAllBytes(file);
    for (int length = 0; length < whole.length; length++) {
      assertRefused(Files.write(folder.resolve("cut.safetensors"), Arrays.copyOf(whole, length)), "");
    }
  }

  @Test
  void aBitFlippedHeaderIsRefusedOrStillDescribesTheFile() throws IOException {
    var file = folder.resolve("whole.safetensors");
    Safetensors.write(file, Map.of("a", TensorBytes.random(StoredType.F32, List.of(3L), 1), "b", TensorBytes.zeros(StoredType.I8, 3)),
        Map.of());
    var bytes = Files.readAllBytes(file);
    var flipped = folder.resolve("flipped.safetensors");
    for (int bit = 0; bit < (bytes.length - 15) * 8; bit++) {
      bytes[bit / 8] ^= (byte) (1 << bit % 8);
      Files.write(flipped, bytes);
      try (var open = Safetensors.open(flipped)) {
        assertThat(open.tensors().values().stream().mapToLong(tensor -> TensorBytes.of(tensor).length).sum()).isEqualTo(15);
      } catch (UserError refused) {
        assertThat(refused).hasMessageContaining(flipped.toString());
      }
      bytes[bit / 8] ^= (byte) (1 << bit % 8);
    }
  }

  @Test
  void whatIsNoFileIsNamed() {
    assertRefused(folder.resolve("absent.safetensors"), "there is no");
    assertRefused(folder, "Cannot read");
  }

  private static void assertRefused(Path file, String message) {
    assertThatThrownBy(() -> Safetensors.open(file)).isInstanceOf(UserError.class).hasMessageContaining(file.toString())
        .hasMessageContaining(message);
  }

  private Path file(long length, String header, int dataBytes) throws IOException {
    var bytes = ByteBuffer.allocate(8 + header.length() + dataBytes).order(ByteOrder.LITTLE_ENDIAN).putLong(length)
        .put(header.getBytes(StandardCharsets.US_ASCII));
    return Files.write(folder.resolve("t.safetensors"), bytes.array());
  }
}
