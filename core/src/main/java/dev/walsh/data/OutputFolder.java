package dev.walsh.data;

import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A dataset folder in the making: a temporary folder beside the final one, which takes its place in one step, whole, or is removed when
 * closed before, also by an interrupt. Where a dataset is replaced, files in its folder that are not its own stay.
 */
final class OutputFolder implements AutoCloseable {
  private static final String OUR_SHARDS = "(train|val)-\\d{5}\\.bin";
  private static final int REMOVAL_ATTEMPTS = 5;

  private final Path target;
  private final Set<String> replaced;
  private final Path temporary;
  private final Path replacedFolder;
  private final Thread removal = new Thread(this::removeTemporary);

  private OutputFolder(Path target, Set<String> replaced) throws IOException {
    this.target = target;
    this.replaced = replaced;
    var id = ProcessHandle.current().pid() + "-" + Long.toHexString(System.nanoTime());
    temporary = target.resolveSibling(target.getFileName() + ".tmp-" + id);
    replacedFolder = target.resolveSibling(target.getFileName() + ".old-" + id);
    Files.createDirectories(temporary);
    Runtime.getRuntime().addShutdownHook(removal);
  }

  /**
   * Begins a folder.
   *
   * @param force whether the folder may hold something already: a dataset of walsh, which is replaced, and other files, which stay
   */
  static OutputFolder create(Path folder, boolean force) throws IOException {
    var target = Files.exists(folder) ? folder.toRealPath() : folder.toAbsolutePath().normalize();
    if (!Files.exists(target)) {
      return new OutputFolder(target, Set.of());
    }
    if (!Files.isDirectory(target)) {
      throw new UserError("The output " + folder + " is a file: give a folder to --out.");
    }
    var present = names(target);
    if (!present.isEmpty() && !force) {
      throw new UserError("The folder " + folder + " is not empty: choose another --out, or add --force to replace the dataset in it.");
    }
    var own = present.contains(Manifest.FILE) ? Manifest.read(target).files() : Set.<String>of();
    for (var name : present) {
      if (name.matches(OUR_SHARDS) && !own.contains(name)) {
        throw new UserError(
            "The file %s is not of a dataset that walsh made, so it is not replaced: choose another --out, or move it away.".formatted(
                folder.resolve(name)));
      }
    }
    return new OutputFolder(target, own);
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).toList();
    }
  }

  /** Where to write. */
  Path path() {
    return temporary;
  }

  /** Makes the folder durable and puts it in its place. */
  void commit() throws IOException {
    Disk.syncFolder(temporary);
    if (Files.exists(target)) {
      replace();
    } else {
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    }
    Disk.syncFolder(Disk.parent(target));
  }

  /** At every moment the old dataset or the new one is whole, in its place or beside it. */
  private void replace() throws IOException {
    Files.move(target, replacedFolder, StandardCopyOption.ATOMIC_MOVE);
    try {
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException error) {
      Files.move(replacedFolder, target, StandardCopyOption.ATOMIC_MOVE);
      throw error;
    }
    for (var name : names(replacedFolder)) {
      var file = replacedFolder.resolve(name);
      if (replaced.contains(name)) {
        Files.delete(file);
      } else {
        Files.move(file, target.resolve(name));
      }
    }
    Files.delete(replacedFolder);
  }

  /** At an interrupt the program still writes while this runs, so the folder can fill again. */
  private void removeTemporary() {
    boolean removed = false;
    for (int attempt = 0; attempt < REMOVAL_ATTEMPTS && !removed; attempt++) {
      try {
        if (Files.exists(temporary)) {
          for (var name : names(temporary)) {
            Files.deleteIfExists(temporary.resolve(name));
          }
          Files.deleteIfExists(temporary);
        }
        removed = true;
      } catch (IOException filledAgain) {
        removed = false;
      }
    }
  }

  @Override
  public void close() {
    removeTemporary();
    try {
      Runtime.getRuntime().removeShutdownHook(removal);
    } catch (IllegalStateException alreadyShuttingDown) {
      // Then the hook has run or is running.
    }
  }
}
