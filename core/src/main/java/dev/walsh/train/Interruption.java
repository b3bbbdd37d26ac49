package dev.walsh.train;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * A user's wish to stop, as Ctrl-C or a terminating signal expresses it. The signal ends the virtual machine, but not before the run has
 * finished its step, saved, and said so: {@link #close} is what the shutdown waits for.
 */
public final class Interruption implements AutoCloseable {
  private static final int PATIENCE_SECONDS = 120;

  private final CountDownLatch ended = new CountDownLatch(1);
  private final Thread hook = new Thread(this::await, "interruption");
  private volatile boolean requested;

  private Interruption() {}

  public static Interruption listen() {
    var interruption = new Interruption();
    Runtime.getRuntime().addShutdownHook(interruption.hook);
    return interruption;
  }

  private void await() {
    requested = true;
    try {
      // A process that is to end must not hang on a step that never does.
      boolean unused = ended.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  public boolean isRequested() {
    return requested;
  }

  /** Says that the run has ended: a shutdown that waits goes on. */
  @Override
  public void close() {
    ended.countDown();
    if (!requested) Runtime.getRuntime().removeShutdownHook(hook);
  }
}
