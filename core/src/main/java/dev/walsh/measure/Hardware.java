package dev.walsh.measure;

/** What a run runs on: the machine and the libtorch that drives it. Commands print its banner and stamp their results with it. */
public record Hardware(Machine machine, Libtorch libtorch) {
  /**
   * Looks at the machine and loads libtorch.
   *
   * @throws dev.walsh.config.UserError where libtorch does not load, with the fix
   */
  public static Hardware probe() {
    return new Hardware(Machine.probe(), Libtorch.probe());
  }

  /**
   * One line for the start of a run, such as {@code device cpu · AMD EPYC · 2 threads · bf16 native · libtorch 2.10.0}.
   *
   * @param device the device chosen: {@code cpu}, {@code cuda} or {@code cuda:N}
   */
  public String banner(String device) {
    var unit = device.startsWith("cuda") ? gpu(device) : cpu();
    return String.join(" · ", "device " + device, unit, "libtorch " + libtorch.version());
  }

  private String cpu() {
    var cpu = machine.cpu();
    var threads = libtorch.threads() == 1 ? " · 1 thread · " : " · " + libtorch.threads() + " threads · ";
    return cpu.model() + threads + bf16(cpu.nativeBf16());
  }

  private String gpu(String device) {
    int index = device.contains(":") ? Integer.parseInt(device.substring(device.indexOf(':') + 1)) : 0;
    if (index >= machine.gpus().size()) {
      return "a GPU that its driver does not name";
    }
    var gpu = machine.gpus().get(index);
    return String.join(" · ", gpu.name(), Amount.bytes(gpu.memoryBytes()), "driver " + gpu.driver(), bf16(gpu.nativeBf16()));
  }

  private static String bf16(boolean isNative) {
    return isNative ? "bf16 native" : "bf16 emulated";
  }
}
