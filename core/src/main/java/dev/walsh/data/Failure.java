package dev.walsh.data;

import java.io.EOFException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;

/** Why reading or writing failed, in words for the middle of a sentence. */
final class Failure {
  private Failure() {}

  static String reason(Exception error) {
    return switch (error) {
      case AccessDeniedException denied -> "permission denied on " + denied.getFile();
      case NoSuchFileException missing -> "there is no " + missing.getFile();
      case FileSystemException other when other.getReason() != null -> other.getReason();
      case EOFException _ -> "it ends early";
      default -> {
        var message = error.getMessage();
        yield message == null || message.isBlank() ? error.getClass().getSimpleName() : message.strip().replaceAll("[.\\s]+$", "");
      }
    };
  }
}
