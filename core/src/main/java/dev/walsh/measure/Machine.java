package dev.walsh.measure;

import java.util.List;

/** The machine without libtorch: what can be told even where libtorch does not load. */
public record Machine(String jdk, String os, Cpu cpu, List<Gpu> gpus) {
  public Machine {
    gpus = List.copyOf(gpus);
  }

  public static Machine probe() {
    var jdk = Runtime.version() + ", " + System.getProperty("java.vendor");
    var os = String.join(" ", System.getProperty("os.name"), System.getProperty("os.version"), System.getProperty("os.arch"));
    return new Machine(jdk, os, Cpu.probe(), Gpu.probe());
  }
}
