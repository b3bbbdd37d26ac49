package dev.walsh.kernels.wht;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;

/**
 * Splits rows over platform threads in contiguous chunks; chunk i of n always holds the same rows, whichever thread takes it.
 *
 * <p>Platform threads, because the calling thread may be one that libtorch knows; the pool's own threads never call libtorch. They look out for
 * more for a while before they sleep: a model that decodes has something for them every 0.1 ms, which is how long waking them may take.
 */
public final class RowPool {
  /** Below this many bytes a call wakes nobody: that takes some 50 µs, in which one thread does that much. */
  private static final long WAKE_BYTES = 2 << 20;
  /** The least that a chunk has: even a thread that looks out takes a microsecond or two to have it. */
  private static final long CHUNK_BYTES = 128 << 10;

  private static final Map<Integer, RowPool> POOLS = new ConcurrentHashMap<>();

  private final int threads;
  private final RowWorker[] workers;
  private final AtomicBoolean busy = new AtomicBoolean();

  private RowPool(int threads) {
    this.threads = threads;
    workers = IntStream.range(1, threads).mapToObj(i -> new RowWorker("walsh-rows-" + (i - 1))).toArray(RowWorker[]::new);
  }

  /** The pool of this many threads, shared by all who ask for the same number. */
  public static RowPool of(int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("a transform needs at least one thread, not " + threads);
    }
    return POOLS.computeIfAbsent(threads, RowPool::new);
  }

  int threads() {
    return threads;
  }

  /** Rows {@code from} (inclusive) to {@code to} (exclusive) as the given chunk. */
  @FunctionalInterface
  public interface Task {
    void run(int chunk, long from, long to);
  }

  /** Whether all but the calling thread that so many chunks need look out for them. */
  private boolean areAwake(int chunks) {
    for (int i = 1; i < chunks; i++) if (workers[i - 1].isAsleep()) return false;
    return true;
  }

  /** How many chunks {@link #run} makes of so many rows. */
  int chunks(long rows, long bytesPerRow) {
    return (int) Math.max(1, Math.min(Math.min(threads, rows), rows * bytesPerRow / CHUNK_BYTES));
  }

  /**
   * Runs the task over all rows, chunk 0 on the calling thread, and returns when all are done; a chunk's exception is thrown here. While
   * another thread does the same, or the others sleep and would have to be woken for little, the calling thread runs them all.
   */
  public void run(long rows, long bytesPerRow, Task task) {
    int chunks = chunks(rows, bytesPerRow);
    if (chunks == 1 || rows * bytesPerRow < WAKE_BYTES && !areAwake(chunks) || !busy.compareAndSet(false, true)) {
      for (int i = 0; i < chunks; i++) task.run(i, rows * i / chunks, rows * (i + 1) / chunks);
      return;
    }
    try {
      for (int i = 1; i < chunks; i++) {
        int chunk = i;
        workers[i - 1].give(() -> task.run(chunk, rows * chunk / chunks, rows * (chunk + 1) / chunks));
      }
      Throwable failure = null;
      try {
        task.run(0, 0, rows / chunks);
      } catch (RuntimeException | Error e) {
        failure = e;
      }
      for (int i = 1; i < chunks; i++) {
        var ofWorker = workers[i - 1].await();
        if (failure == null) failure = ofWorker;
      }
      if (failure instanceof RuntimeException e) throw e;
      if (failure instanceof Error e) throw e;
    } finally {
      busy.set(false);
    }
  }
}
