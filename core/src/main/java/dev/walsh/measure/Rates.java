package dev.walsh.measure;

import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * How fast a device multiplies and copies, measured in under a second: the best of several repetitions, so an upper bound for a model
 * and no benchmark.
 *
 * @param float32 a square float32 matrix product, in FLOP/s
 * @param bfloat16 a square bf16 matrix product, in FLOP/s
 * @param copy a copy within the device's memory, in bytes read and written a second
 */
public record Rates(double float32, double bfloat16, double copy) {
  private static final double SECONDS_EACH = 0.15;
  private static final int CPU_WIDTH = 1024;
  private static final int CUDA_WIDTH = 8192;
  private static final long CPU_COPY = 32L << 20; // float32 values, beyond the caches
  private static final long CUDA_COPY = 256L << 20;

  /** Measures {@code cpu} or {@code cuda}, which must be there. */
  public static Rates measure(String device) {
    boolean cuda = !"cpu".equals(device);
    int width = cuda ? CUDA_WIDTH : CPU_WIDTH;
    return new Rates(product(device, torch.ScalarType.Float, width), product(device, torch.ScalarType.BFloat16, width),
        copy(device, cuda ? CUDA_COPY : CPU_COPY));
  }

  String toText() {
    return "float32 product " + Amount.rate(float32, "FLOP") + ", bf16 product " + Amount.rate(bfloat16, "FLOP") + ", copy "
        + Amount.rate(copy, "B");
  }

  private static double product(String device, torch.ScalarType dtype, int width) {
    try (var a = random(device, dtype, width, width);
        var b = random(device, dtype, width, width);
        var c = random(device, dtype, width, width)) {
      return 2.0 * width * width * width / best(device, () -> torch.mm_out(c, a, b));
    }
  }

  private static double copy(String device, long values) {
    try (var from = random(device, torch.ScalarType.Float, values); var to = random(device, torch.ScalarType.Float, values)) {
      return 2.0 * from.nbytes() / best(device, () -> to.copy_(from));
    }
  }

  private static Tensor random(String device, torch.ScalarType dtype, long... shape) {
    try (var place = new Device(device);
        var optional = new DeviceOptional(place);
        var typed = new TensorOptions(dtype);
        var options = typed.device(optional)) {
      return torch.rand(shape, options);
    }
  }

  /** The seconds of the fastest call, the first one (which prepares the kernel) left out. */
  private static double best(String device, Runnable work) {
    timed(device, work);
    double best = Double.POSITIVE_INFINITY;
    double total = 0;
    while (total < SECONDS_EACH) {
      double seconds = timed(device, work);
      best = Math.min(best, seconds);
      total += seconds;
    }
    return best;
  }

  private static double timed(String device, Runnable work) {
    long start = System.nanoTime();
    work.run();
    if (!"cpu".equals(device)) {
      torch.cuda_synchronize();
    }
    return (System.nanoTime() - start) / 1e9;
  }
}
