package dev.walsh.files;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256, which every JDK has and computes with the processor's own instructions. */
public final class Sha256 {
  private static final int CHUNK = 1 << 20;

  private Sha256() {}

  /** A fresh digest. */
  public static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  /** The checksum of a file's content, as 64 hexadecimal digits. */
  public static String of(Path file) throws IOException {
    var digest = digest();
    var chunk = ByteBuffer.allocate(CHUNK);
    try (var channel = FileChannel.open(file)) {
      while (channel.read(chunk.clear()) >= 0) {
        digest.update(chunk.flip());
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }
}
