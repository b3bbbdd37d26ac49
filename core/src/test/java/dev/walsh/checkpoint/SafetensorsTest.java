package dev.walsh.checkpoint;

import dev.walsh.config.Json;
import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class SafetensorsTest {
  @TempDir
  Path folder;

  @ParameterizedTest
  @EnumSource
  void everyTypeComesBackBitByBit(StoredType type) {
    var tensors = new LinkedHashMap<String, Tensor>();
    tensors.put("scalar", TensorBytes.random(type, List.of(), 1));
    tensors.put("empty", TensorBytes.random(type, List.of(3L, 0L, 2L), 2));
    tensors.put("matrix", TensorBytes.random(type, List.of(3L, 5L), 3));
    assertRoundTrip(folder.resolve("t.safetensors"), tensors, Map.of("format", "pt"));
  }

  record Named(String name, StoredType type, List<Long> shape, long seed) {}

  @Provide
  Arbitrary<List<Named>> models() {
    var names = Arbitraries.strings().ascii().withChars('é', '中', '"', '\\', '\n').ofMaxLength(12)
        .filter(name -> !name.equals("__metadata__"));
    var shapes = Arbitraries.longs().between(0, 5).list().ofMaxSize(4);
    return Combinators.combine(names, Arbitraries.of(StoredType.class), shapes, Arbitraries.longs()).as(Named::new).list()
        .uniqueElements(Named::name)
        .ofMaxSize(8);
  }

  @Property(tries = 100)
  void anyModelComesBackBitByBitInItsOrder(@ForAll("models") List<Named> model) throws IOException {
    var tensors = new LinkedHashMap<String, Tensor>();
    model.forEach(each -> tensors.put(each.name, TensorBytes.random(each.type, each.shape, each.seed)));
    var scratch = Files.createTempDirectory("walsh-safetensors");
    try {
      assertRoundTrip(scratch.resolve("t.safetensors"), tensors, model.isEmpty() ? Map.of() : Map.of(model.getFirst().name, "é\"\n"));
    } finally {
      Disk.deleteTree(scratch);
    }
  }

  private static void assertRoundTrip(Path file, Map<String, Tensor> tensors, Map<String, String> metadata) {
    Safetensors.write(file, tensors, metadata);
    try (var open = Safetensors.open(file)) {
      assertThat(open.metadata()).isEqualTo(metadata);
      assertThat(open.tensors().keySet()).containsExactlyElementsOf(tensors.keySet());
      tensors.forEach((name, expected) -> {
        var actual = open.tensor(name);
        assertThat(actual.scalar_type().intern()).isEqualTo(expected.scalar_type().intern());
        assertThat(SafetensorsHeader.shapeOf(actual)).isEqualTo(SafetensorsHeader.shapeOf(expected));
        assertThat(TensorBytes.of(actual)).isEqualTo(TensorBytes.of(expected));
      });
    }
  }

  @Test
  void theBytesAreThoseOfTheFormat() throws IOException {
    var file = folder.resolve("t.safetensors");
    var tensors = new LinkedHashMap<String, Tensor>();
    tensors.put("flags", torch.tensor((byte) 1, (byte) 2, (byte) 3));
    tensors.put("weight", torch.tensor(1.5f, -2f).view(1, 2));
    Safetensors.write(file, tensors, Map.of("format", "pt"));

    var bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    int length = (int) bytes.getLong();
    assertThat((8 + length) % 64).isZero();
    var text = new byte[length];
    bytes.get(text);
    var header = Json.LINE.readTree(text);
    assertThat(text[0]).isEqualTo((byte) '{');
    assertThat(header.propertyNames()).containsExactly("__metadata__", "flags", "weight");
    assertThat(header.get("__metadata__").toString()).isEqualTo("{\"format\":\"pt\"}");
    assertThat(header.at("/weight/dtype").stringValue()).isEqualTo("F32");
    assertThat(header.at("/weight/shape").toString()).isEqualTo("[1,2]");
    assertThat(header.at("/weight/data_offsets").toString()).isEqualTo("[0,8]");
    assertThat(header.at("/flags/data_offsets").toString()).isEqualTo("[8,11]");
    assertThat(bytes.getFloat()).isEqualTo(1.5f);
    assertThat(bytes.getFloat()).isEqualTo(-2f);
    assertThat(new byte[] {bytes.get(), bytes.get(), bytes.get()}).containsExactly(1, 2, 3);
    assertThat(bytes.hasRemaining()).isFalse();
  }

  @Test
  void aTransposedParameterIsWrittenInItsOwnOrder() {
    var file = folder.resolve("t.safetensors");
    var parameter = torch.tensor(1f, 2f, 3f, 4f, 5f, 6f).view(2, 3).requires_grad_(true);
    Safetensors.write(file, Map.of("t", parameter.t()), Map.of());
    try (var open = Safetensors.open(file)) {
      assertThat(open.tensor("t").equal(parameter.t())).isTrue();
    }
  }

  @Test
  void unalignedDataOfAnotherWriterIsRead() throws IOException {
    var file = folder.resolve("foreign.safetensors");
    var header = "{\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]},\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}";
    Files.write(file, ByteBuffer.allocate(8 + header.length() + 5).order(ByteOrder.LITTLE_ENDIAN).putLong(header.length())
        .put(header.getBytes(StandardCharsets.US_ASCII)).put((byte) 7).putFloat(0.5f).array());
    try (var open = Safetensors.open(file)) {
      assertThat(open.tensor("a").item_byte()).isEqualTo((byte) 7);
      assertThat(open.tensor("b").item_float()).isEqualTo(0.5f);
      assertThat(open.tensor("b").data_ptr().address() % 4).isZero();
    }
  }

  @Test
  void changingAnOpenTensorLeavesTheFileAlone() throws IOException {
    var file = folder.resolve("t.safetensors");
    Safetensors.write(file, Map.of("t", TensorBytes.random(StoredType.F32, List.of(16L), 1)), Map.of());
    var before = Files.readAllBytes(file);
    for (boolean writable : new boolean[] {true, false}) {
      assertThat(file.toFile().setWritable(writable)).isTrue();
      try (var open = Safetensors.open(file)) {
        open.tensor("t").zero_();
        assertThat(TensorBytes.of(open.tensor("t"))).containsOnly(0);
      }
      assertThat(Files.readAllBytes(file)).isEqualTo(before);
    }
  }

  @Test
  void aClosedFileGivesAnErrorAndNotACrash() {
    var file = folder.resolve("t.safetensors");
    Safetensors.write(file, Map.of("t", TensorBytes.zeros(StoredType.F32, 2)), Map.of());
    var open = Safetensors.open(file);
    var tensor = open.tensor("t");
    open.close();
    open.close();
    assertThatThrownBy(tensor::numel).isInstanceOf(NullPointerException.class);
  }

  @Test
  void readIntoFillsParametersInPlace() {
    var file = folder.resolve("t.safetensors");
    var written = TensorBytes.random(StoredType.I32, List.of(4L), 9);
    Safetensors.write(file, Map.of("i", written, "f", torch.tensor(1f, 2f)), Map.of());
    var ints = TensorBytes.zeros(StoredType.I32, 4);
    var floats = TensorBytes.zeros(StoredType.F32, 2).requires_grad_(true);
    long memory = floats.data_ptr().address();
    try (var open = Safetensors.open(file)) {
      open.readInto(Map.of("i", ints, "f", floats));
    }
    assertThat(ints.equal(written)).isTrue();
    assertThat(floats.equal(torch.tensor(1f, 2f))).isTrue();
    assertThat(floats.data_ptr().address()).isEqualTo(memory);
    assertThat(floats.requires_grad()).isTrue();
  }

  @Test
  void readIntoNamesEveryMisfitAndCopiesNothing() {
    var file = folder.resolve("t.safetensors");
    var tensors = new LinkedHashMap<String, Tensor>();
    tensors.put("fits", torch.tensor(1f));
    tensors.put("extra", torch.tensor(1f));
    tensors.put("shape", torch.tensor(1f, 2f));
    tensors.put("type", torch.tensor(1L));
    Safetensors.write(file, tensors, Map.of());
    var targets = new LinkedHashMap<String, Tensor>();
    targets.put("absent", torch.tensor(0f));
    targets.put("fits", torch.tensor(new float[] {0f}));
    targets.put("shape", torch.tensor(0f, 0f, 0f));
    targets.put("type", torch.tensor(new int[] {0}));
    try (var open = Safetensors.open(file)) {
      assertThatThrownBy(() -> open.readInto(targets)).isInstanceOf(UserError.class).hasMessageContaining(file.toString())
          .hasMessageContaining("missing 'absent'").hasMessageContaining("unexpected 'extra'")
          .hasMessageContaining("'shape' has the shape [2] and not [3]").hasMessageContaining("'type' has the type I64 and not I32");
    }
    assertThat(targets.get("fits").item_float()).isZero();
  }

  @Test
  void anExistingFileIsNotTouched() throws IOException {
    var file = Files.writeString(folder.resolve("t.safetensors"), "mine");
    assertThatThrownBy(() -> Safetensors.write(file, Map.of(), Map.of())).isInstanceOf(UserError.class)
        .hasMessageContaining("exists already");
    assertThat(file).hasContent("mine");
  }

  @Test
  void nothingIsLeftOfAFileThatCannotBeWritten() {
    var file = folder.resolve("t.safetensors");
    var freed = torch.tensor(1f);
    var tensors = Map.of("t", freed);
    assertThatThrownBy(() -> {
      try (var out = new HashedFile(file)) {
        var header = SafetensorsHeader.layout(tensors, Map.of());
        freed.close();
        Safetensors.write(out, header, tensors);
      }
    }).isInstanceOf(NullPointerException.class);
    assertThat(file).doesNotExist();
    assertThatThrownBy(() -> Safetensors.write(folder.resolve("no/such/t.safetensors"), Map.of(), Map.of())).isInstanceOf(UserError.class)
        .hasMessageContaining("Cannot write").hasMessageContaining("bytes are free");
  }

  @Test
  void tensorsThatCannotBeStoredAreRefused() {
    var file = folder.resolve("t.safetensors");
    assertThatThrownBy(() -> Safetensors.write(file, Map.of("__metadata__", torch.tensor(1f)), Map.of()))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Safetensors.write(file, Map.of("t", new Tensor()), Map.of())).isInstanceOf(IllegalArgumentException.class);
    assertThat(Arrays.asList(folder.toFile().list())).isEmpty();
  }
}
