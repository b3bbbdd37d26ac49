package dev.walsh.checkpoint;

import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The right to write to a run folder, held by one process at a time: an operating system's lock on {@code run.lock}, which says who holds
 * it. The system drops the lock with the process, so one that crashed is in nobody's way.
 */
public final class RunLock implements AutoCloseable {
  private static final String FILE = "run.lock";

  /** Far behind the text, because on Windows locked bytes cannot be read. */
  private static final long LOCKED_BYTE = 1L << 30;

  /**
   * The folders locked by this process. POSIX drops all locks of a process on a file when any of its channels to that file closes, so a
   * file that is locked here must not even be opened again.
   */
  private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

  private final Path folder;
  private final FileChannel channel;

  private RunLock(Path folder, FileChannel channel) {
    this.folder = folder;
    this.channel = channel;
  }

  /**
   * Takes the lock, making the folder where there is none.
   *
   * @throws UserError that names the process that has it
   */
  public static RunLock acquire(Path run) {
    try {
      var folder = Files.createDirectories(run).toRealPath();
      if (!HELD.add(folder)) {
        throw inUse(run, self());
      }
      try {
        return new RunLock(folder, lock(run, folder.resolve(FILE)));
      } catch (IOException | RuntimeException error) {
        HELD.remove(folder);
        throw error;
      }
    } catch (IOException error) {
      throw new UserError("Cannot lock " + run + " (" + Disk.reason(error) + "); choose a folder on a local disk that you may write to",
          error);
    }
  }

  /** Whether this process holds the lock of a folder. */
  static boolean isHeld(Path run) throws IOException {
    return Disk.exists(run) && HELD.contains(run.toRealPath());
  }

  private static FileChannel lock(Path run, Path file) throws IOException {
    var channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
    try {
      if (channel.tryLock(LOCKED_BYTE, 1, false) == null) {
        throw inUse(run, Files.readString(file));
      }
      channel.truncate(0).write(ByteBuffer.wrap(self().getBytes(StandardCharsets.UTF_8)));
      return channel;
    } catch (IOException | RuntimeException error) {
      channel.close();
      throw error;
    }
  }

  private static UserError inUse(Path run, String holder) {
    var who = holder.isBlank() ? "just starting" : holder.strip();
    return new UserError(run + " is in use by another walsh (" + who + "); wait for it, stop it, or choose another folder");
  }

  private static String self() {
    var process = ProcessHandle.current();
    var start = process.info().startInstant().orElseGet(Instant::now).truncatedTo(ChronoUnit.SECONDS);
    return "pid " + process.pid() + " on " + host() + ", started " + start + "\n";
  }

  private static String host() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException unnamed) {
      return "a host without a name";
    }
  }

  /** Gives the lock back. The file stays: deleting it would let two processes each lock a file of that name. */
  @Override
  public void close() {
    if (!channel.isOpen()) {
      return;
    }
    try (channel) {
      channel.truncate(0);
    } catch (IOException error) {
      throw new UserError("Cannot empty " + folder.resolve(FILE) + " (" + Disk.reason(error) + "); delete it when no run uses the folder",
          error);
    } finally {
      HELD.remove(folder);
    }
  }
}
