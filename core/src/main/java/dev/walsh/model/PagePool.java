package dev.walsh.model;

/** Equal pages of memory, each of which at most one has. */
final class PagePool {
  private final int[] free;
  private int count;

  PagePool(int pages) {
    free = new int[pages];
    // The lowest are given out first.
    for (int i = 0; i < pages; i++) free[i] = pages - 1 - i;
    count = pages;
  }

  int size() {
    return free.length;
  }

  int free() {
    return count;
  }

  /** So many pages, which are the caller's from now on. */
  int[] take(int pages) {
    if (pages > count) throw new IllegalStateException("no " + pages + " pages are free, but " + count);
    var taken = new int[pages];
    for (int i = 0; i < pages; i++) taken[i] = free[--count];
    return taken;
  }

  void giveBack(int[] pages) {
    if (count + pages.length > free.length) throw new IllegalStateException("more pages come back than were taken");
    for (int page : pages) free[count++] = page;
  }
}
