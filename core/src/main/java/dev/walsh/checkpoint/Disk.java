package dev.walsh.checkpoint;

import dev.walsh.config.UserError;
import java.io.File;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What the JDK leaves out of files: folders made durable, trees deleted, and I/O errors said in a sentence. */
final class Disk {
  private Disk() {}

  static boolean exists(Path path) {
    return Files.exists(path, LinkOption.NOFOLLOW_LINKS);
  }

  static void refuseExisting(Path path) {
    if (exists(path)) {
      throw new UserError(path + " exists already; choose another name or move it away");
    }
  }

  /** The folder that a path lies in; the root lies in itself. */
  static Path parent(Path path) {
    var whole = path.toAbsolutePath().normalize();
    return whole.getParent() == null ? whole : whole.getParent();
  }

  /** Makes a file's content durable. */
  static void syncFile(Path file) throws IOException {
    try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.force(true);
    }
  }

  /** Makes a folder's list of names durable. Windows opens no folders and keeps its names in a journal. */
  static void syncFolder(Path folder) throws IOException {
    if (File.separatorChar == '/') {
      try (var channel = FileChannel.open(folder, StandardOpenOption.READ)) {
        channel.force(true);
      }
    }
  }

  /** Deletes a file or a folder with all that is in it, following no links; nothing happens where there is none. */
  static void deleteTree(Path root) throws IOException {
    if (!exists(root)) {
      return;
    }
    Files.walkFileTree(root, new SimpleFileVisitor<>() {
      @Override
      public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
        Files.delete(file);
        return FileVisitResult.CONTINUE;
      }

      @Override
      public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException error) throws IOException {
        if (error != null) {
          throw error;
        }
        Files.delete(folder);
        return FileVisitResult.CONTINUE;
      }
    });
  }

  /**
   * The error for a path that could not be written.
   *
   * @param needed bytes that were to be written, as far as known, or 0
   */
  static UserError cannotWrite(Path path, long needed, IOException error) {
    var need = needed > 0 ? String.format(Locale.ROOT, "it needs %,d bytes and ", needed) : "";
    return new UserError(
        "Cannot write " + path + " (" + reason(error) + "): " + need + free(path) + ", so make room or choose another place and run"
            + " again; nothing half-written is left, and what was there before, earlier checkpoints included, is intact",
        error);
  }

  private static String free(Path path) {
    for (var at = path.toAbsolutePath(); at != null; at = at.getParent()) {
      try {
        return String.format(Locale.ROOT, "%,d bytes are free", Files.getFileStore(at).getUsableSpace());
      } catch (IOException notThere) {
        // The path itself may not exist; the disk is then that of the nearest parent that does.
      }
    }
    return "the free space is unknown";
  }

  /** Why a file operation failed, in words. */
  static String reason(IOException error) {
    return switch (error) {
      case NoSuchFileException missing -> "there is no " + missing.getFile();
      case AccessDeniedException denied -> "permission denied on " + denied.getFile();
      case FileAlreadyExistsException taken -> taken.getFile() + " already exists";
      case FileSystemException other when other.getReason() != null -> other.getReason();
      default -> error.getMessage() == null ? error.toString() : error.getMessage();
    };
  }
}
