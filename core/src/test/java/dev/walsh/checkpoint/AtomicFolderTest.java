package dev.walsh.checkpoint;

import dev.walsh.config.UserError;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class AtomicFolderTest {
  @TempDir
  Path parent;

  @Test
  void aWholeFolderAppears() throws IOException {
    var target = parent.resolve("deep/er/made");
    AtomicFolder.write(target, folder -> {
      folder.json("a.json", Map.of("b", 1));
      folder.tensors("t.safetensors", Map.of("t", TensorBytes.random(StoredType.F32, List.of(8L), 1)), Map.of());
      Files.createDirectory(folder.path().resolve("sub"));
      Files.writeString(folder.path().resolve("sub/text.txt"), "text");
      folder.manifest();
      assertThat(target).doesNotExist();
    });
    Manifest.verify(target);
    assertThat(target.resolve("a.json")).hasContent("{\n  \"b\" : 1\n}");
    assertThat(target.resolve("sub/text.txt")).hasContent("text");
    assertThat(target.getParent()).isDirectoryNotContaining("glob:**.tmp");
    Safetensors.open(target.resolve("t.safetensors")).close();
  }

  @Test
  void aFullDiskIsASentenceAndLeavesNothing() throws IOException {
    var sibling = Files.writeString(parent.resolve("sibling"), "mine");
    var target = parent.resolve("made");
    assertThatThrownBy(() -> AtomicFolder.write(target, folder -> {
      folder.json("a.json", "x".repeat(9_998));
      throw new IOException("No space left on device");
    })).isInstanceOf(UserError.class).hasMessageContaining(target.toString()).hasMessageContaining("No space left on device")
        .hasMessageContaining("needs 10,000 bytes").hasMessageContaining("bytes are free").hasMessageContaining("intact");
    assertThat(parent).isDirectoryContaining("glob:**sibling").isDirectoryNotContaining("glob:**made*");
    assertThat(sibling).hasContent("mine");
  }

  @Test
  void aDeviceThatIsReallyFullIsASentence() {
    var full = Path.of("/dev/full");
    Assumptions.assumeTrue(Files.isWritable(full), "this system has no /dev/full");
    var target = parent.resolve("made");
    assertThatThrownBy(() -> AtomicFolder.write(target, folder -> {
      try (OutputStream out = Files.newOutputStream(full)) {
        out.write(1);
      }
    })).isInstanceOf(UserError.class).hasMessageContaining("No space left on device");
    assertThat(parent).isEmptyDirectory();
  }

  @Test
  void anyOtherFailureGoesThroughAndLeavesNothing() {
    var target = parent.resolve("made");
    for (var failure : List.of(new IllegalStateException("a fault"), new UserError("a mistake"), new OutOfMemoryError("memory"))) {
      assertThatThrownBy(() -> AtomicFolder.write(target, folder -> {
        folder.json("a.json", 1);
        switch (failure) {
          case RuntimeException unchecked -> throw unchecked;
          case Error error -> throw error;
          default -> throw new IOException(failure);
        }
      })).isSameAs(failure);
      assertThat(parent).isEmptyDirectory();
    }
  }

  @Test
  void whatExistsIsNotTouched() throws IOException {
    var target = Files.createDirectory(parent.resolve("made"));
    assertThatThrownBy(() -> AtomicFolder.write(target, folder -> folder.json("a.json", 1))).isInstanceOf(UserError.class)
        .hasMessageContaining("exists already");
    assertThat(target).isEmptyDirectory();

    var mine = Files.writeString(Files.createDirectory(parent.resolve("other.tmp")).resolve("mine"), "mine");
    assertThatThrownBy(() -> AtomicFolder.write(parent.resolve("other"), folder -> folder.json("a.json", 1))).isInstanceOf(UserError.class)
        .hasMessageContaining("is in the way");
    assertThat(mine).hasContent("mine");
  }
}
