package dev.walsh.checkpoint;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalDouble;

/** Another process that locks a run, starts a checkpoint, and then waits until it is killed or its input ends. */
final class LockHolder implements AutoCloseable {
  private final Process process;

  private LockHolder(Process process) {
    this.process = process;
  }

  static LockHolder start(Path run) throws IOException {
    var java = Path.of(System.getProperty("java.home"), "bin", "java" + (File.separatorChar == '/' ? "" : ".exe"));
    var command = new ProcessBuilder(java.toString(), "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"),
        LockHolder.class.getName(), run.toString()).redirectError(ProcessBuilder.Redirect.INHERIT);
    var holder = new LockHolder(command.start());
    var ready = holder.process.inputReader().readLine();
    if (!"ready".equals(ready)) {
      holder.close();
      throw new IOException("the other process did not start: " + ready);
    }
    return holder;
  }

  long pid() {
    return process.pid();
  }

  /** Kills the process as a power cut would. */
  @Override
  public void close() {
    process.destroyForcibly().onExit().join();
  }

  public static void main(String[] args) throws IOException {
    var run = Path.of(args[0]);
    try (var _ = RunLock.acquire(run)) {
      new CheckpointStore(run, 1, System.err::println).save(7, OptionalDouble.empty(), folder -> {
        Files.writeString(folder.path().resolve("half"), "written");
        System.out.println("ready");
        System.in.read();
      });
    }
  }
}
