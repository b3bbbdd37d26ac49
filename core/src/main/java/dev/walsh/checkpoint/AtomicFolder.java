package dev.walsh.checkpoint;

import dev.walsh.config.Json;
import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/**
 * A folder in the making, which appears under its name whole and durable, or not at all.
 *
 * <p>It is written as {@code NAME.tmp}; every file and the folder are made durable before it is renamed, and the rename before
 * {@link #write} returns. A crash leaves {@code NAME.tmp}, never a part of {@code NAME}.
 */
public final class AtomicFolder {
  private static final String SUFFIX = ".tmp";

  private final Path path;
  private final Map<String, Manifest.Entry> entries = new LinkedHashMap<>();
  private long bytes;

  private AtomicFolder(Path path) {
    this.path = path;
  }

  /** What fills a folder. */
  @FunctionalInterface
  public interface Content {
    void writeTo(AtomicFolder folder) throws IOException;
  }

  /**
   * Makes a new folder.
   *
   * @throws UserError where the target exists already, a {@code NAME.tmp} is in the way, or the disk is full or refuses; whatever the content
   *     throws itself goes through. In every case nothing new is left behind
   */
  public static void write(Path target, Content content) {
    Disk.refuseExisting(target);
    var temporary = temporary(target);
    if (Disk.exists(temporary)) {
      throw new UserError(
          temporary + " is in the way, left by a run that was cut off or still written by another; delete it if no run uses it");
    }
    var parent = Disk.parent(target);
    var folder = new AtomicFolder(temporary);
    try {
      Files.createDirectories(parent);
      Files.createDirectory(temporary);
    } catch (IOException error) {
      throw Disk.cannotWrite(target, 0, error);
    }
    try {
      content.writeTo(folder);
      folder.sync();
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
      Disk.syncFolder(parent);
    } catch (IOException error) {
      discard(temporary, error);
      throw Disk.cannotWrite(target, folder.bytes, error);
    } catch (RuntimeException | Error error) {
      discard(temporary, error);
      throw error;
    }
  }

  /** Where a folder stands while it is written, and while it is deleted. */
  static Path temporary(Path target) {
    var whole = target.toAbsolutePath().normalize();
    return whole.resolveSibling(whole.getFileName() + SUFFIX);
  }

  private static void discard(Path temporary, Throwable because) {
    try {
      Disk.deleteTree(temporary);
    } catch (IOException error) {
      because.addSuppressed(error);
    }
  }

  /** Deletes a folder so that a crash in the middle leaves {@code NAME.tmp} and no folder that looks whole. */
  static void delete(Path folder) throws IOException {
    var temporary = temporary(folder);
    Files.move(folder, temporary, StandardCopyOption.ATOMIC_MOVE);
    Disk.deleteTree(temporary);
  }

  /** Where the content may put files of its own, under this path alone. */
  public Path path() {
    return path;
  }

  /** Writes a safetensors file; see {@link Safetensors#write(Path, Map, Map)}. */
  public void tensors(String name, Map<String, Tensor> tensors, Map<String, String> metadata) throws IOException {
    var header = SafetensorsHeader.layout(tensors, metadata);
    file(name, header.fileBytes(), out -> Safetensors.write(out, header, tensors));
  }

  /** Writes a value as indented JSON. */
  public void json(String name, Object value) throws IOException {
    var json = Json.PRETTY.writeValueAsBytes(value);
    file(name, json.length, out -> out.write(ByteBuffer.wrap(json)));
  }

  /** Writes the manifest of all that is in the folder so far; call it last. */
  public void manifest() throws IOException {
    json(Manifest.FILE, Manifest.of(path, entries));
  }

  private void file(String name, long size, Filler filler) throws IOException {
    bytes += size;
    try (var out = new HashedFile(path.resolve(name))) {
      filler.fill(out);
      entries.put(name, out.finish());
    }
  }

  private interface Filler {
    void fill(HashedFile out) throws IOException;
  }

  private void sync() throws IOException {
    try (var paths = Files.walk(path)) {
      for (var each : paths.toList()) {
        if (Files.isDirectory(each)) {
          Disk.syncFolder(each);
        } else if (!entries.containsKey(path.relativize(each).toString())) {
          Disk.syncFile(each);
        }
      }
    }
  }
}
