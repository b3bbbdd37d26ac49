package dev.walsh.measure;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * An NVIDIA GPU as its driver describes it, whether or not libtorch can use it.
 *
 * @param name the product's name
 * @param memoryBytes the device memory
 * @param driver the driver's version, such as 580.65.06
 * @param computeCapability the generation, such as 9.0
 */
public record Gpu(String name, long memoryBytes, String driver, String computeCapability) {
  private static final int PATIENCE_SECONDS = 10;
  private static final String[] QUERY = {"nvidia-smi", "--query-gpu=name,memory.total,driver_version,compute_cap",
      "--format=csv,noheader,nounits"};

  /** The GPUs that the driver names, in its order; none where there is no driver or it does not answer. */
  static List<Gpu> probe() {
    try {
      var query = new ProcessBuilder(QUERY).redirectError(ProcessBuilder.Redirect.DISCARD).start();
      try (var answer = query.inputReader()) {
        if (!query.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
          query.destroyForcibly();
          return List.of();
        }
        return query.exitValue() == 0 ? read(answer.readAllLines()) : List.of();
      }
    } catch (IOException e) {
      return List.of();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return List.of();
    }
  }

  /** Reads the lines of nvidia-smi's CSV: name, MiB of memory, driver, compute capability. */
  static List<Gpu> read(List<String> lines) {
    var gpus = new ArrayList<Gpu>();
    for (var line : lines) {
      var cells = line.split(", *", -1);
      if (cells.length == 4 && cells[1].matches("\\d+")) {
        gpus.add(new Gpu(cells[0], Long.parseLong(cells[1]) << 20, cells[2], cells[3]));
      }
    }
    return List.copyOf(gpus);
  }

  /** The leading number of the driver's version; 0 where it is none. */
  int driverMajor() {
    var major = driver.replaceFirst("\\D.*", "");
    return major.isEmpty() ? 0 : Integer.parseInt(major);
  }

  /** Ten times the compute capability, 90 for 9.0; 0 where it is no number. */
  int generation() {
    return computeCapability.matches("\\d+\\.\\d") ? Integer.parseInt(computeCapability.replace(".", "")) : 0;
  }

  /** Whether the GPU multiplies bf16 matrices in its tensor cores: from compute capability 8.0 on. */
  public boolean nativeBf16() {
    return generation() >= 80;
  }
}
