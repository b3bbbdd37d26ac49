package dev.walsh.measure;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdk.incubator.vector.VectorShape;

/**
 * The processor and its memory, as far as the speed of a run depends on them.
 *
 * @param model the processor's name, or its architecture where the system does not tell
 * @param cores the cores this process may use
 * @param memoryBytes the memory this process may use
 * @param instructions the instruction sets that decide which kernels run, by their usual names
 * @param vectorBits the width of a Vector API vector; 0 where the JVM runs without {@code jdk.incubator.vector}
 */
public record Cpu(String model, int cores, long memoryBytes, List<String> instructions, int vectorBits) {
  private static final Path CPUINFO = Path.of("/proc/cpuinfo");
  private static final String AVX512_BF16 = "AVX-512 BF16";
  private static final String AMX_BF16 = "AMX BF16";
  private static final Map<String, String> NAMES = names();

  public Cpu {
    instructions = List.copyOf(instructions);
  }

  /** The processor of this machine, within the limits of the container where there is one. */
  public static Cpu probe() {
    var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return read(cpuinfo(), Runtime.getRuntime().availableProcessors(), system.getTotalMemorySize(), vectorWidth());
  }

  /** Reads the lines of Linux's /proc/cpuinfo; without any, the model is the architecture's name. */
  static Cpu read(List<String> cpuinfo, int cores, long memoryBytes, int vectorBits) {
    var model = System.getProperty("os.arch");
    var flags = Set.<String>of();
    for (var line : cpuinfo.reversed()) { // every core has its paragraph: the first one decides
      int colon = line.indexOf(':');
      if (colon < 0) {
        continue;
      }
      var value = line.substring(colon + 1).strip();
      switch (line.substring(0, colon).strip()) {
        case "model name" -> model = value;
        case "flags", "Features" -> flags = Set.copyOf(Arrays.asList(value.split(" +", -1)));
        default -> {}
      }
    }
    var found = flags;
    var instructions = NAMES.entrySet().stream().filter(name -> found.contains(name.getKey())).map(Map.Entry::getValue).toList();
    return new Cpu(model, cores, memoryBytes, instructions, vectorBits);
  }

  /** Whether the processor multiplies bf16 matrices by instructions of its own, rather than by way of float32. */
  public boolean nativeBf16() {
    return instructions.contains(AVX512_BF16) || instructions.contains(AMX_BF16);
  }

  private static Map<String, String> names() {
    var names = new LinkedHashMap<String, String>();
    names.put("avx2", "AVX2");
    names.put("avx512f", "AVX-512");
    names.put("avx512_bf16", AVX512_BF16);
    names.put("amx_bf16", AMX_BF16);
    names.put("asimd", "NEON");
    names.put("sve", "SVE");
    return names;
  }

  private static List<String> cpuinfo() {
    if (!Files.isReadable(CPUINFO)) {
      return List.of();
    }
    try {
      return Files.readAllLines(CPUINFO);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static int vectorWidth() {
    try {
      return VectorShape.preferredShape().vectorBitSize();
    } catch (NoClassDefFoundError e) {
      return 0;
    }
  }
}
