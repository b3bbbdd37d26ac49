package dev.walsh.tensor;

import org.bytedeco.javacpp.Pointer;

/** The number of native objects that Java still holds, once what is unreachable has been collected. */
public final class LivePointers {
  private LivePointers() {}

  /** JavaCPP frees what the collector found on a thread of its own, so the count is read once it has come to rest. */
  public static long count() throws InterruptedException {
    long before = Long.MAX_VALUE;
    for (int still = 0; still < 3;) {
      System.gc();
      Thread.sleep(20);
      long now = Pointer.totalCount();
      still = now == before ? still + 1 : 0;
      before = now;
    }
    return before;
  }
}
