package dev.walsh.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256, which every JDK has. */
final class Checksum {
  private static final int BLOCK = 1 << 17;

  private Checksum() {}

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  /** The checksum of a file, in hexadecimal digits. */
  static String of(Path file) throws IOException {
    var digest = sha256();
    var block = ByteBuffer.allocate(BLOCK);
    try (var channel = FileChannel.open(file)) {
      while (channel.read(block.clear()) >= 0) {
        digest.update(block.flip());
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }
}
