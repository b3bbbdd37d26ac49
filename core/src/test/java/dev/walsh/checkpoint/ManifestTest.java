package dev.walsh.checkpoint;

import dev.walsh.config.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class ManifestTest {
  @TempDir
  Path run;
  private Path folder;

  @BeforeEach
  void write() {
    folder = run.resolve("step-00002000");
    write(folder);
  }

  private static void write(Path folder) {
    AtomicFolder.write(folder, files -> {
      files.json("a.json", 12345);
      Files.writeString(files.path().resolve("b.txt"), "abc");
      files.manifest();
    });
  }

  @Test
  void theChecksumsAreSha256() {
    assertThat(folder.resolve("manifest.json")).content().contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        .contains("5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5");
    Manifest.verify(folder);
  }

  @Test
  void aFlippedBitInAnyByteOfAnyFileIsNoticed() throws IOException {
    for (var file : Manifest.files(folder)) {
      var bytes = Files.readAllBytes(file);
      for (int bit = 0; bit < bytes.length * 8; bit += 7) {
        bytes[bit / 8] ^= (byte) (1 << bit % 8);
        Files.write(file, bytes);
        assertThatThrownBy(() -> Manifest.verify(folder)).isInstanceOf(UserError.class);
        bytes[bit / 8] ^= (byte) (1 << bit % 8);
      }
      Files.write(file, bytes);
    }
    Manifest.verify(folder);
  }

  @Test
  void everyDamagedFileIsNamedWithTheCheckpointToResumeFrom() throws IOException {
    IntStream.of(500, 1000, 1500, 3000).forEach(step -> write(run.resolve(StepFolder.name(step))));
    Files.delete(run.resolve("step-00001500/a.json"));
    Files.writeString(folder.resolve("a.json"), "12346");
    Files.writeString(folder.resolve("b.txt"), "ab");
    assertThatThrownBy(() -> Manifest.verify(folder)).isInstanceOf(UserError.class).hasMessageContaining(folder + " is damaged")
        .hasMessageContaining("a.json does not have its SHA-256").hasMessageContaining("b.txt has 2 bytes and not 3")
        .hasMessageContaining("resume from " + run.resolve("step-00001000") + " instead");
    assertThatThrownBy(() -> Manifest.verify(run.resolve("step-00001500"))).hasMessageContaining("a.json is missing");
  }

  @Test
  void withoutAnEarlierCheckpointTheFixIsAnother() throws IOException {
    Files.delete(folder.resolve("manifest.json"));
    assertThatThrownBy(() -> Manifest.verify(folder)).isInstanceOf(UserError.class).hasMessageContaining("manifest.json cannot be read")
        .hasMessageContaining("restore it from a copy");
  }

  @Test
  void aManifestCannotPointOutside() throws IOException {
    Files.writeString(folder.resolve("manifest.json"), "{\"files\": [{\"name\": \"../x\", \"bytes\": 1, \"sha256\": \"\"}]}");
    assertThatThrownBy(() -> Manifest.verify(folder)).isInstanceOf(UserError.class).hasMessageContaining("lies outside");
  }

  @Test
  void filesAddedLaterAreNobodysHarm() throws IOException {
    Files.writeString(folder.resolve("notes.txt"), "a good one");
    assertThatCode(() -> Manifest.verify(folder)).doesNotThrowAnyException();
  }

  @Test
  void manyDamagedFoldersAreSeenInNoTime() throws IOException {
    for (int step = 1; step <= 60; step++) {
      Files.createDirectory(run.resolve(StepFolder.name(step)));
    }
    Files.delete(folder.resolve("a.json"));
    assertThatThrownBy(() -> Manifest.verify(folder)).isInstanceOf(UserError.class).hasMessageContaining("a.json is missing");
    assertThat(Arrays.asList(run.toFile().list())).hasSize(61);
  }
}
