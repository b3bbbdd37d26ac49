package dev.walsh.measure;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The most memory that this process ever held resident. */
public final class PeakMemory {
  private static final Path STATUS = Path.of("/proc/self/status");

  private PeakMemory() {}

  /** Bytes; NaN where the system does not tell. */
  public static double bytes() {
    try {
      for (var line : Files.readAllLines(STATUS)) {
        if (line.startsWith("VmHWM:")) return Double.parseDouble(line.replaceAll("\\D", "")) * 1024;
      }
    } catch (IOException e) {
      // Only Linux has the file; elsewhere the figure is unknown.
    }
    return Double.NaN;
  }
}
