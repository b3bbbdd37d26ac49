package dev.walsh.kernels.wht;

import java.util.concurrent.ConcurrentHashMap;

/**
 * A Kronecker factor that is not split further: Sylvester's matrix of order 2, or a Paley core.
 *
 * @param order 2, or the order of the core
 * @param symmetric whether a core is of Paley's second construction even where the first applies
 */
record HadamardAtom(int order, boolean symmetric) {
  private static final ConcurrentHashMap<HadamardAtom, byte[]> SIGNS = new ConcurrentHashMap<>();

  boolean isSylvester() {
    return order == 2;
  }

  /** The core; only where this is one. */
  PaleyCore core() {
    return symmetric ? PaleyCore.symmetric(order) : PaleyCore.of(order);
  }

  /** The entry of row {@code i} and column {@code j}, +1 or −1. */
  int sign(int i, int j) {
    return isSylvester() ? 1 - 2 * (i & j) : core().sign(i, j);
  }

  /** All entries, row-major, to be read only: the same array each time. */
  byte[] signs() {
    return SIGNS.computeIfAbsent(this, HadamardAtom::compute);
  }

  private byte[] compute() {
    var signs = new byte[Math.multiplyExact(order, order)];
    for (int at = 0; at < signs.length; at++) {
      signs[at] = (byte) sign(at / order, at % order);
    }
    return signs;
  }
}
