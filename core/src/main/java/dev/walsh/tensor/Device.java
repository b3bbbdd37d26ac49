package dev.walsh.tensor;

import com.sun.management.OperatingSystemMXBean;
import dev.walsh.config.UserError;
import dev.walsh.files.Natives;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.SizeTPointer;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch_cuda;

/** Where tensors live: the CPU, one GPU, or nowhere (shapes without memory, to count what a model would need). */
public enum Device {
  CPU(DeviceType.CPU), CUDA(DeviceType.CUDA), META(DeviceType.Meta);

  static {
    Natives.load(torch.class);
  }

  private final DeviceType type;

  Device(DeviceType type) {
    this.type = type;
  }

  /** Reads {@code auto}, {@code cpu} or {@code cuda}. {@code auto} is the GPU where there is one that works. */
  public static Device parse(String name) {
    return switch (name) {
      case "cpu" -> CPU;
      case "auto" -> hasCuda() ? CUDA : CPU;
      case "cuda" -> {
        if (!hasCuda())
          throw new UserError("--device cuda: libtorch found no CUDA device; run './walsh doctor' to see why, or use --device cpu");
        yield CUDA;
      }
      default -> throw new UserError("--device " + name + " is unknown; use auto, cpu or cuda");
    };
  }

  /** Whether libtorch was built for CUDA and sees a GPU. */
  public static boolean hasCuda() {
    return gpus() > 0;
  }

  /** The number of GPUs that libtorch sees; 0 where it was not built for CUDA. */
  public static int gpus() {
    try {
      // libtorch knows of no GPU before its CUDA half is loaded.
      Natives.load(torch_cuda.class);
    } catch (LinkageError e) {
      return 0;
    }
    return torch.hasCUDA() ? torch_cuda.device_count() : 0;
  }

  /** Bounds the threads of libtorch and of the BLAS below it; results in bf16 depend on their number. */
  public static void setThreads(int threads) {
    torch.set_num_threads(threads);
    openblas_nolapack.blas_set_num_threads(threads);
  }

  public static int threads() {
    return torch.get_num_threads();
  }

  /** Waits until all work handed to the device is done. */
  public void synchronize() {
    if (this == CUDA) torch.cuda_synchronize();
  }

  /** Gives memory that libtorch keeps for later back to the device. */
  public void freeUnused() {
    if (this != CUDA) return;
    synchronize();
    torch.emptyCache();
  }

  /** Bytes of the GPU's memory that are taken, by anybody; 0 on the CPU. */
  public long bytesInUse() {
    if (this != CUDA) return 0;
    try (var free = new SizeTPointer(1); var total = new SizeTPointer(1)) {
      CudaError.check(cudart.cudaMemGetInfo(free, total));
      return total.get() - free.get();
    }
  }

  /** Bytes of memory that the device has; on the CPU, the machine. */
  public long totalBytes() {
    if (this != CUDA) return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
    try (var free = new SizeTPointer(1); var total = new SizeTPointer(1)) {
      CudaError.check(cudart.cudaMemGetInfo(free, total));
      return total.get();
    }
  }

  /** Bytes that new tensors can still take, as the system tells: the GPU's free memory, or the machine's. */
  public long bytesAvailable() {
    if (this == CUDA) {
      try (var free = new SizeTPointer(1); var total = new SizeTPointer(1)) {
        CudaError.check(cudart.cudaMemGetInfo(free, total));
        return free.get();
      }
    }
    try (var lines = Files.lines(Path.of("/proc/meminfo"))) {
      var line = lines.filter(l -> l.startsWith("MemAvailable:")).findFirst();
      if (line.isPresent()) return Long.parseLong(line.get().replaceAll("\\D", "")) * 1024;
    } catch (IOException e) {
      // Only Linux has the file.
    }
    return Pointer.availablePhysicalBytes();
  }

  /** Options for a new tensor of a dtype on this device. */
  public TensorOptions options(Dtype dtype) {
    try (var device = new org.bytedeco.pytorch.Device(type)) {
      return new TensorOptions(dtype.scalarType()).device(new org.bytedeco.pytorch.DeviceOptional(device));
    }
  }

  @Override
  public String toString() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }
}
