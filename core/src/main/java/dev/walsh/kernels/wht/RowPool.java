package dev.walsh.kernels.wht;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinTask;

/**
 * Splits rows over platform threads in contiguous chunks; chunk i of n always holds the same rows, whichever thread takes it.
 *
 * <p>Platform threads, because the calling thread may be one that libtorch knows; the pool's own threads never call libtorch.
 */
public final class RowPool {
  /** Below this many bytes a call stays on its own thread: waking another takes some 50 µs, in which one thread does that much. */
  private static final long SPREAD_BYTES = 2 << 20;

  private static final Map<Integer, RowPool> POOLS = new ConcurrentHashMap<>();

  private final int threads;
  private final ForkJoinPool workers;

  private RowPool(int threads) {
    this.threads = threads;
    workers = new ForkJoinPool(Math.max(1, threads - 1), pool -> {
      var worker = ForkJoinPool.defaultForkJoinWorkerThreadFactory.newThread(pool);
      worker.setName("walsh-rows-" + worker.getPoolIndex());
      return worker;
    }, null, false);
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

  /** How many chunks {@link #run} makes of so many rows. */
  int chunks(long rows, long bytesPerRow) {
    return threads == 1 || rows < 2 || rows * bytesPerRow < SPREAD_BYTES ? 1 : (int) Math.min(threads, rows);
  }

  /** Runs the task over all rows, chunk 0 on the calling thread, and returns when all are done; a chunk's exception is thrown here. */
  public void run(long rows, long bytesPerRow, Task task) {
    int chunks = chunks(rows, bytesPerRow);
    if (chunks == 1) {
      task.run(0, 0, rows);
      return;
    }
    var others = new ForkJoinTask<?>[chunks - 1];
    for (int i = 1; i < chunks; i++) {
      int chunk = i;
      others[i - 1] = workers.submit(() -> task.run(chunk, rows * chunk / chunks, rows * (chunk + 1) / chunks));
    }
    try {
      task.run(0, 0, rows / chunks);
    } finally {
      for (var other : others) {
        other.quietlyJoin();
      }
    }
    for (var other : others) {
      other.join();
    }
  }
}
