package dev.walsh.kernels.wht;

import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A thread that does one thing after another for whoever has it. Both it and who waits for it look out for 0.2 ms before they sleep, since waking
 * either takes as long as what there is to do.
 */
final class RowWorker implements Runnable {
  private static final long LOOK_OUT_NANOS = 200_000;

  private final Thread thread;
  private volatile @Nullable Runnable work;
  private volatile boolean asleep;
  private volatile @Nullable Thread waiting;
  private @Nullable Throwable failure;

  RowWorker(String name) {
    thread = Thread.ofPlatform().daemon().name(name).start(this);
  }

  /** Hands something over; the last thing must have been awaited. */
  void give(Runnable something) {
    work = something;
    if (asleep) LockSupport.unpark(thread);
  }

  boolean isAsleep() {
    return asleep;
  }

  /** Waits for what was given; returns what it threw, null for nothing. */
  @Nullable
  Throwable await() {
    long until = System.nanoTime() + LOOK_OUT_NANOS;
    while (work != null) {
      if (System.nanoTime() < until) {
        Thread.onSpinWait();
      } else {
        waiting = Thread.currentThread();
        if (work != null) LockSupport.park(this);
        waiting = null;
      }
    }
    var thrown = failure;
    failure = null;
    return thrown;
  }

  @Override
  public void run() {
    while (true) {
      var next = next();
      try {
        next.run();
      } catch (Throwable e) {
        failure = e;
      }
      work = null;
      var who = waiting;
      if (who != null) LockSupport.unpark(who);
    }
  }

  private Runnable next() {
    long until = System.nanoTime() + LOOK_OUT_NANOS;
    while (true) {
      var next = work;
      if (next != null) return next;
      if (System.nanoTime() < until) {
        Thread.onSpinWait();
      } else {
        asleep = true;
        if (work == null) LockSupport.park(this);
        asleep = false;
      }
    }
  }
}
