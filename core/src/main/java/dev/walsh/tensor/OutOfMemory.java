package dev.walsh.tensor;

import java.util.Locale;
import java.util.stream.Stream;

/** How libtorch and CUDA's libraries say that a device has no memory left; their exceptions reach Java as messages, without a type. */
public final class OutOfMemory {
  private static final String[] SAID = {"out of memory", "alloc_failed", "can't allocate memory", "not enough memory"};

  private OutOfMemory() {}

  /** Whether an exception came of that. */
  public static boolean isCauseOf(Throwable error) {
    return Stream.iterate(error, e -> e != null, Throwable::getCause).map(e -> String.valueOf(e.getMessage()).toLowerCase(Locale.ROOT))
        .anyMatch(message -> Stream.of(SAID).anyMatch(message::contains));
  }
}
