package dev.walsh.cli;

import dev.walsh.config.UserError;
import dev.walsh.measure.Cpu;
import dev.walsh.measure.Rates;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that say what computes, and in which dtype. */
final class DeviceOptions {
  @Option(names = "--device", paramLabel = "auto|cpu|cuda", defaultValue = "auto", description = "What computes.")
  private String device = "auto";

  @Option(names = "--dtype", paramLabel = "f32|bf16", description = "What the model computes in; bf16 where the device has it, by default.")
  private @Nullable String dtype;

  @Option(names = "--threads", paramLabel = "N", description = "Threads of the CPU; all cores by default.")
  private @Nullable Integer threads;

  boolean dtypeGiven() {
    return dtype != null;
  }

  /** The device, with its threads set. */
  Device device() {
    var chosen = Device.parse(device);
    if (threads != null && threads < 1) throw new UserError("--threads is " + threads + "; give at least 1");
    Device.setThreads(threads == null ? Runtime.getRuntime().availableProcessors() : threads);
    return chosen;
  }

  /** Reads {@code full} or {@code int8}: whether the matrices of a model that only runs are bytes. */
  static boolean int8(String weights) {
    return switch (weights) {
      case "full" -> false;
      case "int8" -> true;
      default -> throw new UserError("--weights " + weights + " is unknown; use full or int8");
    };
  }

  /** Operations a second that a matrix product reaches in a dtype, measured now: what MFU is counted against. */
  static double peakFlops(Device device, Dtype dtype) {
    var rates = Rates.measure(device.toString());
    return dtype == Dtype.BF16 ? rates.bfloat16() : rates.float32();
  }

  Dtype dtype(Device on) {
    if (dtype == null) return on == Device.CUDA || Cpu.probe().nativeBf16() ? Dtype.BF16 : Dtype.F32;
    return switch (dtype.toLowerCase(Locale.ROOT)) {
      case "f32" -> Dtype.F32;
      case "bf16" -> Dtype.BF16;
      default -> throw new UserError("--dtype " + dtype + " is unknown; use f32 or bf16");
    };
  }
}
