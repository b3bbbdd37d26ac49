package dev.walsh.files;

import dev.walsh.config.UserError;
import java.io.EOFException;
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
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Files and folders made durable, written whole or not at all, and deleted; and why that failed, in words. */
public final class Disk {
  private Disk() {}

  /** Whether anything is there, be it a link to nothing. */
  public static boolean exists(Path path) {
    return Files.exists(path, LinkOption.NOFOLLOW_LINKS);
  }

  /** Says so where anything is there already. */
  public static void refuseExisting(Path path) {
    if (exists(path)) {
      throw new UserError(path + " exists already; choose another name or move it away");
    }
  }

  /** The folder that a path lies in; the root lies in itself. */
  public static Path parent(Path path) {
    var whole = path.toAbsolutePath().normalize();
    return whole.getParent() == null ? whole : whole.getParent();
  }

  /**
   * Writes a file so that it is there whole, and durable, or not at all; one that was there before is replaced.
   *
   * @throws UserError where the disk is full or refuses
   */
  public static void write(Path file, byte[] content) {
    // Of a name of its own, for other processes may write the same file.
    var temporary = file.resolveSibling(file.getFileName() + "." + ProcessHandle.current().pid() + ".tmp");
    try {
      Files.createDirectories(parent(file));
      Files.write(temporary, content);
      syncFile(temporary);
      Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
      syncFolder(parent(file));
    } catch (IOException error) {
      try {
        Files.deleteIfExists(temporary);
      } catch (IOException left) {
        error.addSuppressed(left);
      }
      throw cannotWrite(file, content.length, error);
    }
  }

  /** Makes a file's content durable. */
  public static void syncFile(Path file) throws IOException {
    try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.force(true);
    }
  }

  /** Makes a folder's list of names durable. Windows opens no folders and keeps its names in a journal. */
  public static void syncFolder(Path folder) throws IOException {
    if (File.separatorChar == '/') {
      try (var channel = FileChannel.open(folder, StandardOpenOption.READ)) {
        channel.force(true);
      }
    }
  }

  /** Deletes a file or a folder with all that is in it, following no links; nothing happens where there is none. */
  public static void deleteTree(Path root) throws IOException {
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
  public static UserError cannotWrite(Path path, long needed, IOException error) {
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

  /** Why a file operation failed, in words for the middle of a sentence. */
  public static String reason(IOException error) {
    return switch (error) {
      case NoSuchFileException missing -> "there is no " + missing.getFile();
      case AccessDeniedException denied -> "permission denied on " + denied.getFile();
      case FileAlreadyExistsException taken -> taken.getFile() + " already exists";
      case FileSystemException other when other.getReason() != null -> other.getReason();
      case EOFException _ -> "it ends early";
      default -> {
        var message = error.getMessage();
        yield message == null || message.isBlank() ? error.getClass().getSimpleName() : message.strip().replaceAll("[.\\s]+$", "");
      }
    };
  }
}
