package dev.walsh.measure;

import dev.walsh.config.UserError;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What the hardware, the natives and the environment mean for a run: each fallback with what it costs and how to mend it.
 *
 * @param machine the machine
 * @param libtorch the libtorch in use; null where it does not load, and a finding says why
 * @param rates the speed of each device in use, by its name
 * @param findings what was found, in the order to print
 */
public record Checkup(Machine machine, @Nullable Libtorch libtorch, Map<String, Rates> rates, List<Finding> findings) {
  private static final int DRIVER_OF_CUDA_13 = 580;
  private static final int OLDEST_GENERATION = 75;
  private static final List<String> SLOWING_VARIABLES = List.of("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS",
      "OPENBLAS_THREAD_TIMEOUT", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA");

  /** Looks, loads libtorch and measures: about three seconds. */
  public static Checkup run() {
    var machine = Machine.probe();
    var findings = new ArrayList<>(onMachine(machine, System.getenv()));
    try {
      var hardware = new Hardware(machine, Libtorch.probe());
      var rates = new LinkedHashMap<String, Rates>();
      rates.put("cpu", Rates.measure("cpu"));
      if (hardware.libtorch().gpus() > 0) {
        rates.put("cuda", Rates.measure("cuda"));
      }
      findings.addAll(onLibtorch(hardware, rates));
      return new Checkup(machine, hardware.libtorch(), rates, findings);
    } catch (UserError unloadable) {
      findings.add(new Finding("libtorch", "does not load", String.valueOf(unloadable.getMessage())));
      return new Checkup(machine, null, Map.of(), findings);
    }
  }

  static List<Finding> onMachine(Machine machine, Map<String, String> environment) {
    var cpu = machine.cpu();
    var findings = new ArrayList<Finding>();
    findings.add(Finding.fine("JDK", machine.jdk()));
    findings.add(Finding.fine("system", machine.os()));
    findings.add(Finding.fine("CPU", cpu.model() + ", " + cpu.cores() + (cpu.cores() == 1 ? " core" : " cores")));
    findings.add(Finding.fine("memory", Amount.bytes(cpu.memoryBytes()) + ", of which Java's own objects may take "
        + Amount.bytes(Runtime.getRuntime().maxMemory())));
    findings.add(
        Finding.fine("instructions", cpu.instructions().isEmpty() ? "not told by this system" : String.join(", ", cpu.instructions())));
    findings.add(vectors(cpu));
    findings.add(variables(environment));
    return findings;
  }

  static List<Finding> onLibtorch(Hardware hardware, Map<String, Rates> rates) {
    var libtorch = hardware.libtorch();
    var findings = new ArrayList<Finding>();
    findings.add(
        Finding.fine("libtorch", libtorch.version() + ", natives for " + libtorch.natives() + ", CPU kernels for " + libtorch.kernels()));
    findings.add(threads(hardware));
    findings.add(bf16(hardware.machine().cpu()));
    findings.add(gpu(hardware));
    findings.add(disk(libtorch));
    findings.add(memoryWatch());
    rates.forEach((device, rate) -> findings.add(Finding.fine("speed of " + device, rate.toText())));
    return findings;
  }

  private static Finding vectors(Cpu cpu) {
    return cpu.vectorBits() > 0
        ? Finding.fine("Vector API", cpu.vectorBits() + " bits")
        : new Finding("Vector API", "off", "the CPU transform runs as plain loops, several times slower: start with ./walsh, "
            + "or give Java --add-modules jdk.incubator.vector");
  }

  private static Finding variables(Map<String, String> environment) {
    var set = SLOWING_VARIABLES.stream().filter(environment::containsKey).toList();
    if (set.isEmpty()) {
      return Finding.fine("environment", "nothing set that slows libtorch");
    }
    return new Finding("environment", set.stream().map(name -> name + "=" + environment.get(name)).collect(Collectors.joining(", ")),
        "it overrides the kernels or threads chosen for this CPU, which can halve the speed: unset it, unless it is meant");
  }

  private static Finding threads(Hardware hardware) {
    int threads = hardware.libtorch().threads();
    int blas = hardware.libtorch().blasThreads();
    int cores = hardware.machine().cpu().cores();
    var found = threads + " in libtorch, " + blas + " in OpenBLAS";
    return threads >= cores && blas >= cores
        ? Finding.fine("threads", found)
        : new Finding("threads", found, "some of the " + cores + " cores stay idle");
  }

  private static Finding bf16(Cpu cpu) {
    return cpu.nativeBf16()
        ? Finding.fine("bf16 on the CPU", "native")
        : new Finding("bf16 on the CPU", "emulated",
            "no AVX-512 BF16 or AMX: training on the CPU stays in float32, with matrix products 2 to 4 times slower than native bf16");
  }

  private static Finding gpu(Hardware hardware) {
    var gpus = hardware.machine().gpus();
    var libtorch = hardware.libtorch();
    if (gpus.isEmpty()) {
      return new Finding("GPU", "none: no NVIDIA driver answers",
          "everything runs on the CPU: a model of 124M parameters or more trains hundreds of times slower than on a data-centre GPU");
    }
    var found = gpus.stream().map(Checkup::described).collect(Collectors.joining("; "));
    var advice = problem(gpus.getFirst(), libtorch);
    return advice == null ? Finding.fine("GPU", found) : new Finding("GPU", found, advice + ", so everything runs on the CPU");
  }

  private static String described(Gpu gpu) {
    return gpu.name() + ", " + Amount.bytes(gpu.memoryBytes()) + ", driver " + gpu.driver() + ", compute capability "
        + gpu.computeCapability();
  }

  private static @Nullable String problem(Gpu gpu, Libtorch libtorch) {
    if (gpu.driverMajor() < DRIVER_OF_CUDA_13) {
      return "the driver is too old for CUDA 13: install " + DRIVER_OF_CUDA_13 + " or newer";
    }
    if (gpu.generation() < OLDEST_GENERATION) {
      return "the GPU is older than compute capability 7.5, for which libtorch has no code";
    }
    if ("cpu".equals(libtorch.natives())) {
      return "libtorch's natives for the CPU are in use: put CUDA 13 and cuDNN 9 on LD_LIBRARY_PATH and start with WALSH_NATIVES=cuda";
    }
    if (!libtorch.cudaProblem().isEmpty()) {
      return "libtorch's CUDA half does not load (" + libtorch.cudaProblem() + "): put CUDA 13 and cuDNN 9 on LD_LIBRARY_PATH";
    }
    return libtorch.gpus() > 0 ? null : "libtorch sees no GPU: look at CUDA_VISIBLE_DEVICES and at nvidia-smi";
  }

  private static Finding disk(Libtorch libtorch) {
    var folder = Unpacking.folder();
    long free = folder.getUsableSpace();
    long needed = Unpacking.bytesNeeded(libtorch.natives());
    var found = Amount.bytes(free) + " free in " + folder;
    return free >= needed
        ? Finding.fine("disk", found)
        : new Finding("disk", found, "libtorch unpacks up to " + Amount.bytes(needed) + " there: make room");
  }

  private static Finding memoryWatch() {
    return "0".equals(System.getProperty("org.bytedeco.javacpp.maxPhysicalBytes"))
        ? Finding.fine("memory watch", "off")
        : new Finding("memory watch", "on",
            "JavaCPP reads the process's memory at each allocation, which doubles the cost of small operators: "
                + "start with ./walsh");
  }
}
