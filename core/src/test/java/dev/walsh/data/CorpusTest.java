package dev.walsh.data;

import dev.walsh.config.UserError;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorOutputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class CorpusTest {
  private static final String TEXT = "First line.\nSecond line, größer.\n".repeat(500);

  @TempDir
  Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"txt", "xz", "gz", "bz2", "zip", "XZ", "jar", "unknown"})
  void everyFormatGivesItsText(String extension) throws Exception {
    var file = write("text." + extension, TEXT.getBytes(UTF_8));
    assertThat(documents(file.toString()).values()).containsExactly(TEXT);
    assertThat(Corpus.of(List.of(file.toString())).inputBytes()).isEqualTo(Files.size(file));
  }

  @Test
  void packedFilesMayConsistOfSeveralStreams() throws Exception {
    for (var extension : List.of("xz", "gz", "bz2")) {
      var twice = new ByteArrayOutputStream();
      twice.writeBytes(pack(extension, "one\n".getBytes(UTF_8)));
      twice.writeBytes(pack(extension, "two\n".getBytes(UTF_8)));
      var file = Files.write(folder.resolve("twice." + extension), twice.toByteArray());
      assertThat(documents(file.toString()).values()).containsExactly("one\ntwo\n");
    }
  }

  @Test
  void foldersGiveTheirFilesInOrderAndHideTheHidden() throws Exception {
    write("b.txt", "b".getBytes(UTF_8));
    write("a/z.txt", "z".getBytes(UTF_8));
    write("a/k.gz", "k".getBytes(UTF_8));
    write("c/.hidden/x.txt", "hidden".getBytes(UTF_8));
    write("c/.x.txt", "hidden".getBytes(UTF_8));
    write("c/blank.txt", " \n".getBytes(UTF_8));
    write("c/empty.txt", new byte[0]);
    assertThat(documents(folder.toString()).values()).containsExactly("k", "z", "b");
    assertThat(documents(folder.resolve("b.txt").toString(), folder.resolve("a").toString()).values()).containsExactly("b", "k", "z");
    var link = Files.createSymbolicLink(folder.resolveSibling(folder.getFileName() + "-link"), folder);
    try {
      assertThat(documents(link.toString()).values()).containsExactly("k", "z", "b");
    } finally {
      Files.delete(link);
    }
  }

  @Test
  void entriesOfAZipAreDocumentsAndErrorsNameThem() throws Exception {
    var file = folder.resolve("two.zip");
    try (var zip = new ZipOutputStream(Files.newOutputStream(file))) {
      for (var name : List.of("src/", "src/one.txt", "src/.hidden", "two.txt")) {
        zip.putNextEntry(new ZipEntry(name));
        zip.write(name.endsWith("/") ? new byte[0] : name.getBytes(UTF_8));
      }
    }
    assertThat(documents(file.toString())).isEqualTo(Map.of(file + "!src/one.txt@0", "src/one.txt", file + "!two.txt@0", "two.txt"));
  }

  @Test
  void standardInputIsADash() throws Exception {
    var before = System.in;
    System.setIn(new ByteArrayInputStream("one\n<|endoftext|>\ntwo\n".getBytes(UTF_8)));
    try {
      assertThat(documents("-")).isEqualTo(Map.of("standard input@0", "one\n", "standard input@18", "two\n"));
      assertThat(Corpus.of(List.of("-")).inputBytes()).isEqualTo(-1);
    } finally {
      System.setIn(before);
    }
  }

  @Test
  void missingInputIsNamed() {
    assertThatThrownBy(() -> Corpus.of(List.of("no/such.txt"))).isInstanceOf(UserError.class).hasMessage(
        "There is no file or folder no/such.txt: check the path.");
  }

  @ParameterizedTest
  @ValueSource(strings = {"xz", "gz", "bz2", "zip"})
  void truncatedAndDamagedArchivesAreNamedAndNeverAFault(String extension) throws Exception {
    var random = new Random(1);
    var text = new byte[20_000];
    random.nextBytes(text);
    var whole = pack(extension, text);
    for (int i = 0; i < 60; i++) {
      var damaged = i < 20 ? Arrays.copyOf(whole, whole.length * i / 20) : whole.clone();
      if (i >= 20) {
        damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
      }
      var file = Files.write(folder.resolve("damaged." + extension), damaged);
      try {
        // Some bits, such as those of a time stamp, matter to nobody; a flipped one must then leave the text as it was.
        var read = new ByteArrayOutputStream();
        Corpus.of(List.of(file.toString())).read(piece -> read.writeBytes(piece.text()));
        assertThat(i).isGreaterThanOrEqualTo(20);
        assertThat(read.toByteArray()).isEqualTo(text);
      } catch (UserError error) {
        assertThat(error).hasMessageMatching(
            "Cannot read \\Q%s\\E(!.*)? \\(.+\\): if it is an archive, it is truncated or damaged, so fetch or pack it again; else check the disk and the permissions\\."
                .formatted(file));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gz", "zip", "xz", "bz2"})
  void bombsAreStopped(String extension) throws Exception {
    var file = write("bomb." + extension, new byte[(64 << 20) + 1]);
    assertThatThrownBy(() -> documents(file.toString())).isInstanceOf(UserError.class).hasMessage(
        "%s unpacks to more than 250 times its size, as decompression bombs do and text does not: if you trust it, unpack it yourself and give walsh the unpacked files."
            .formatted(file));
  }

  @Test
  void xzThatNeedsTooMuchMemoryIsRefused() throws Exception {
    var bytes = pack("xz", TEXT.getBytes(UTF_8));
    // The dictionary size is one byte of the block header, which has a checksum of its own.
    bytes[16] = 34;
    var crc = new CRC32();
    int header = (bytes[12] + 1) * 4;
    crc.update(bytes, 12, header - 4);
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(12 + header - 4, (int) crc.getValue());
    var file = Files.write(folder.resolve("large.xz"), bytes);
    assertThatThrownBy(() -> documents(file.toString())).isInstanceOf(UserError.class).hasMessageMatching(
        "\\Q%s\\E needs \\d+ MiB of memory to unpack: unpack it yourself with xz -d and give walsh the text\\.".formatted(file));
  }

  @Test
  void theSourcesOfAJdkAreItsJavaFiles() throws Exception {
    var lib = Files.createDirectory(folder.resolve("lib"));
    try (var zip = new ZipOutputStream(Files.newOutputStream(lib.resolve("src.zip")))) {
      for (var name : List.of("java.base/A.java", "legal/notes.md")) {
        zip.putNextEntry(new ZipEntry(name));
        zip.write("class A {}".getBytes(UTF_8));
      }
    }
    var pieces = new ArrayList<String>();
    JdkSources.corpus(folder).read(piece -> pieces.add(piece.source()));
    assertThat(pieces).containsExactly(lib.resolve("src.zip") + "!java.base/A.java");
  }

  @Test
  void aJdkWithoutSourcesSaysWhatToDo() throws IOException {
    var zip = folder.resolve("lib").resolve("src.zip");
    assertThatThrownBy(() -> JdkSources.corpus(folder)).isInstanceOf(UserError.class).hasMessage(
        "This JDK has no sources (%s is missing): give a text or a folder with --data, or use a JDK that has lib/src.zip.".formatted(zip));
    Files.createDirectory(folder.resolve("lib"));
    Files.createSymbolicLink(zip, folder.resolve("nothing"));
    assertThatThrownBy(() -> JdkSources.corpus(folder)).isInstanceOf(UserError.class).hasMessage(
        "This JDK has no sources (%s is a link to nothing): give a text or a folder with --data, or use a JDK that has lib/src.zip."
            .formatted(zip));
  }

  /** The documents by source and offset. */
  private static Map<String, String> documents(String... inputs) throws InterruptedException {
    var documents = new LinkedHashMap<String, String>();
    Corpus.of(List.of(inputs)).read(piece -> documents.put(piece.source() + "@" + piece.offset(), new String(piece.text(), UTF_8)));
    return documents;
  }

  private Path write(String name, byte[] text) throws IOException {
    var file = folder.resolve(name);
    Files.createDirectories(file.resolveSibling("."));
    return Files.write(file, pack(name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT), text));
  }

  private static byte[] pack(String extension, byte[] text) throws IOException {
    var packed = new ByteArrayOutputStream();
    try (OutputStream out = switch (extension) {
      case "xz" -> new XZOutputStream(packed, new LZMA2Options(1));
      case "gz" -> new GzipCompressorOutputStream(packed);
      case "bz2" -> new BZip2CompressorOutputStream(packed);
      case "zip", "jar" -> zip(packed);
      default -> packed;
    }) {
      out.write(text);
    }
    return packed.toByteArray();
  }

  private static ZipOutputStream zip(OutputStream to) throws IOException {
    var zip = new ZipOutputStream(to);
    zip.putNextEntry(new ZipEntry("text.txt"));
    return zip;
  }
}
