package dev.walsh.cli;

import dev.walsh.config.UserError;
import dev.walsh.ranks.RankProcesses;
import dev.walsh.ranks.Rendezvous;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Ranks;
import java.io.PrintWriter;
import java.io.Writer;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** How many processes share a run, and which of them this one is. */
final class RankOptions {
  private static final String GPUS = "--gpus";
  private static final String VISIBLE = "CUDA_VISIBLE_DEVICES";

  @Option(names = GPUS, paramLabel = "N", description = "GPUs of this machine that share each step's batch, a process each. Across machines (or on CPUs), start the command once a process instead, with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT in its environment.")
  private @Nullable Integer gpus;

  /** Where this process meets the others. */
  Rendezvous rendezvous(Device device, Map<String, String> environment) {
    var at = Rendezvous.of(environment);
    if (gpus == null) {
      if (!at.isAlone() && device == Device.CUDA) requireOwnGpu(environment);
      return at;
    }
    if (gpus < 1) throw new UserError(GPUS + " is " + gpus + "; give at least 1");
    if (!at.isAlone()) {
      throw new UserError("RANK says that this process is one of several already; leave out " + GPUS + ", or RANK and its companions");
    }
    if (device != Device.CUDA) {
      throw new UserError(GPUS + " " + gpus + " needs the GPUs of this machine, but this run computes on the CPU; leave out " + GPUS
          + ", and see './walsh doctor' for why no GPU is found");
    }
    int visible = Device.gpus();
    if (gpus > visible) throw new UserError(GPUS + " is " + gpus + ", but libtorch sees " + visible + " here; give at most that");
    return at;
  }

  private static void requireOwnGpu(Map<String, String> environment) {
    var local = environment.getOrDefault("LOCAL_RANK", "0");
    if (!"0".equals(local) && Device.gpus() > 1) {
      throw new UserError("LOCAL_RANK is " + local + ", and this process sees " + Device.gpus()
          + " GPUs; start each process with its own one in " + VISIBLE);
    }
  }

  /** The number of processes that will share the run. */
  int size(Rendezvous at) {
    return gpus == null ? at.size() : gpus;
  }

  /** Whether this process is to start all ranks, and be none. */
  boolean starts() {
    return gpus != null && gpus > 1;
  }

  /** Meets the other ranks. Where one is lost while this process waits in native code, which no exception reaches, it says so and ends. */
  static Ranks connect(Rendezvous at, Device device, PrintWriter err) {
    return Ranks.connect(at, device, error -> {
      err.println("walsh: " + error.getMessage());
      err.flush();
      Runtime.getRuntime().halt(CommandLine.ExitCode.USAGE);
    });
  }

  /** Where a rank says what it does: nobody hears more than one. */
  static PrintWriter voice(Rendezvous at, PrintWriter err) {
    return at.rank() == 0 ? err : new PrintWriter(Writer.nullWriter());
  }

  /** Runs this same command once a GPU; the exit status is rank 0's. */
  int start(CommandSpec spec) {
    int size = gpus == null ? 1 : gpus;
    return RankProcesses.run(command(spec), size, rank -> Map.of(VISIBLE, gpu(rank)));
  }

  private static String gpu(int rank) {
    var visible = System.getenv(VISIBLE);
    return visible == null ? Integer.toString(rank) : visible.split(",")[rank].strip();
  }

  private static List<String> command(CommandSpec spec) {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), spec.root().userObject().getClass().getName()));
    command.addAll(ofARank(spec.root().commandLine().getParseResult().originalArgs()));
    return command;
  }

  /** The arguments without those of {@code --gpus}. */
  static List<String> ofARank(List<String> arguments) {
    var kept = new ArrayList<String>();
    for (int i = 0; i < arguments.size(); i++) {
      var argument = arguments.get(i);
      if (argument.equals(GPUS)) {
        i++;
      } else if (!argument.startsWith(GPUS + "=")) {
        kept.add(argument);
      }
    }
    return kept;
  }
}
