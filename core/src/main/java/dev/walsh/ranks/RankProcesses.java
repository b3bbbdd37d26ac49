package dev.walsh.ranks;

import dev.walsh.config.UserError;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * The ranks of a job on this machine as processes of this one: started together, seen through rank 0, and ended together. What rank 0 prints
 * goes where this process prints; of the others the last lines are kept, for the case that one dies.
 */
public final class RankProcesses {
  /** Exit statuses of a run that a signal stopped in good order. */
  private static final List<Integer> STOPPED = List.of(130, 143);
  private static final int BY_SIGNAL = 128;
  private static final int LINES = 12;
  /** For the ranks to say themselves that one is gone. */
  private static final Duration GRACE = Duration.ofSeconds(5);
  /** For a run to finish its step and save. */
  private static final Duration SAVING = Duration.ofSeconds(130);

  // A signal may come while they are being started.
  private final List<Rank> ranks = new CopyOnWriteArrayList<>();
  private final LinkedBlockingQueue<Rank> endings = new LinkedBlockingQueue<>();
  private volatile boolean stopping;

  private RankProcesses() {}

  /**
   * Starts the same command once a rank, and waits for the end of all. A signal to this process stops all ranks in good order.
   *
   * @param environment what a rank has in its environment beside {@code RANK}, {@code WORLD_SIZE}, {@code LOCAL_RANK}, {@code MASTER_ADDR}
   *     and {@code MASTER_PORT}
   * @return the exit status of rank 0
   * @throws UserError that names a rank which died, with its last lines; the others were ended then
   */
  public static int run(List<String> command, int size, IntFunction<Map<String, String>> environment) {
    var job = new RankProcesses();
    var hook = new Thread(job::stop, "ranks");
    Runtime.getRuntime().addShutdownHook(hook);
    try {
      job.start(command, size, environment);
      return job.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the ranks ran", e);
    } finally {
      // The hook ends them otherwise.
      if (!job.stopping) {
        job.kill();
        Runtime.getRuntime().removeShutdownHook(hook);
      }
    }
  }

  private void start(List<String> command, int size, IntFunction<Map<String, String>> environment) {
    int port = freePort();
    for (int number = 0; number < size && !stopping; number++) {
      var builder = new ProcessBuilder(command);
      builder.environment().putAll(new Rendezvous(number, size, "127.0.0.1", port).environment());
      builder.environment().put("LOCAL_RANK", Integer.toString(number));
      builder.environment().putAll(environment.apply(number));
      if (number == 0) {
        builder.inheritIO();
      } else {
        builder.redirectErrorStream(true);
      }
      var rank = new Rank(number, launch(builder));
      ranks.add(rank);
      rank.process.onExit().thenRun(() -> endings.add(rank));
    }
  }

  private static int freePort() {
    try (var socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new UserError("No port is free for the ranks to meet at (" + e.getMessage() + "); end what holds them all", e);
    }
  }

  private static Process launch(ProcessBuilder builder) {
    try {
      return builder.start();
    } catch (IOException e) {
      throw new UserError("Cannot start a process for each rank (" + e.getMessage() + "); free memory or raise the limit of processes", e);
    }
  }

  private int await() throws InterruptedException {
    for (int i = 0; i < ranks.size(); i++) {
      var rank = endings.take();
      int status = rank.process.exitValue();
      if (status == 0 || STOPPED.contains(status) || stopping) continue;
      long end = System.nanoTime() + GRACE.toNanos();
      for (var other : ranks) {
        boolean unused = other.process.waitFor(end - System.nanoTime(), TimeUnit.NANOSECONDS);
      }
      kill();
      // Rank 0 has said why, where everyone has read it.
      if (rank.number == 0 && status < BY_SIGNAL) return status;
      throw new UserError("rank " + rank.number + " of " + ranks.size() + " died " + (status < BY_SIGNAL
          ? "with status " + status
          : "by signal " + (status - BY_SIGNAL)) + ", and the others were ended; " + rank.lastLines());
    }
    return ranks.getFirst().process.exitValue();
  }

  /** Asks all ranks to finish their step, save and end, and waits for it. */
  private void stop() {
    stopping = true;
    for (var rank : ranks) rank.process.destroy();
    long end = System.nanoTime() + SAVING.toNanos();
    try {
      for (var rank : ranks) {
        boolean unused = rank.process.waitFor(end - System.nanoTime(), TimeUnit.NANOSECONDS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    kill();
  }

  private void kill() {
    for (var rank : ranks) rank.process.destroyForcibly();
  }

  /** One rank, and what it printed last. */
  private static final class Rank {
    final int number;
    final Process process;
    private final Deque<String> lines = new ArrayDeque<>();
    private final @Nullable Thread reader;

    Rank(int number, Process process) {
      this.number = number;
      this.process = process;
      reader = number == 0 ? null : Thread.ofVirtual().start(this::read);
    }

    private void read() {
      try (var output = process.inputReader()) {
        for (var line = output.readLine(); line != null; line = output.readLine()) {
          lines.add(line);
          if (lines.size() > LINES) lines.remove();
        }
      } catch (IOException | UncheckedIOException e) {
        // The process has ended.
      }
    }

    String lastLines() throws InterruptedException {
      if (reader == null) return "see what it printed last";
      boolean unused = reader.join(GRACE);
      return lines.isEmpty() ? "it printed nothing" : "its last lines:\n  " + String.join("\n  ", lines);
    }
  }
}
