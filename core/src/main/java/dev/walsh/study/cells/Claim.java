package dev.walsh.study.cells;

import dev.walsh.config.Json;
import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/**
 * One process's word that it trains a cell: a file that is there from the first moment, whose time is renewed while the process lives. It
 * needs nothing of a shared folder but that two processes cannot both create one file, so it works between machines. A claim whose holder
 * died is taken over. Should two take over one in the same moment, both train the cell and the later record stays: work is lost, no result.
 */
final class Claim implements AutoCloseable {
  private static final Duration BEAT = Duration.ofSeconds(10);
  private static final Duration DEAD = Duration.ofSeconds(60);

  /** Who holds a claim. */
  record Holder(String host, long pid) {
    static Holder self() {
      return new Holder(here(), ProcessHandle.current().pid());
    }

    private static String here() {
      try {
        return InetAddress.getLocalHost().getHostName();
      } catch (UnknownHostException e) {
        return "unknown";
      }
    }

    boolean isKnownDead() {
      return host.equals(here()) && ProcessHandle.of(pid).isEmpty();
    }
  }

  private final Path file;
  private final ScheduledExecutorService beat;

  private Claim(Path file) {
    this.file = file;
    beat = Executors.newSingleThreadScheduledExecutor(Thread.ofPlatform().daemon().name("claim").factory());
    var unused = beat.scheduleAtFixedRate(this::renew, BEAT.toSeconds(), BEAT.toSeconds(), TimeUnit.SECONDS);
  }

  /** Claims a cell by its file; null where a living process has it. */
  static @Nullable Claim take(Path file) {
    try {
      Files.createDirectories(Disk.parent(file));
      if (Files.exists(file) && isDead(file)) Files.deleteIfExists(file);
      Files.write(file, Json.LINE.writeValueAsBytes(Holder.self()), StandardOpenOption.CREATE_NEW);
      return new Claim(file);
    } catch (FileAlreadyExistsException taken) {
      return null;
    } catch (IOException e) {
      throw Disk.cannotWrite(file, 0, e);
    }
  }

  private static boolean isDead(Path file) throws IOException {
    try {
      return isKnownDead(file) || Duration.between(Files.getLastModifiedTime(file).toInstant(), now(Disk.parent(file))).compareTo(DEAD) > 0;
    } catch (NoSuchFileException gone) {
      return false;
    }
  }

  private static boolean isKnownDead(Path file) throws IOException {
    try {
      return Json.LINE.readValue(Files.readString(file), Holder.class).isKnownDead();
    } catch (JacksonException justBegun) {
      // Created and not yet written, or cut off in between: its time decides.
      return false;
    }
  }

  /** The time by the clock of the folder's file system, which may be another machine's. */
  private static Instant now(Path folder) throws IOException {
    var probe = Files.createTempFile(folder, "clock", ".tmp");
    try {
      return Files.getLastModifiedTime(probe).toInstant();
    } finally {
      Files.delete(probe);
    }
  }

  private void renew() {
    try {
      // Written anew, so that the file system's own clock sets the time.
      Files.write(file, Json.LINE.writeValueAsBytes(Holder.self()), StandardOpenOption.WRITE);
    } catch (IOException lost) {
      // Somebody took the claim for dead and has the cell now: both will finish it, which harms nothing.
    }
  }

  @Override
  public void close() {
    beat.shutdownNow();
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw new UserError("Cannot delete " + file + " (" + Disk.reason(e) + "); delete it by hand", e);
    }
  }
}
