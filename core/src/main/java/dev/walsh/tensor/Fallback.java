package dev.walsh.tensor;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The way on where a machine cannot run a kernel of ours: libtorch's own operators, with one warning that says what is missing. */
public final class Fallback {
  private static final Set<String> WARNED = ConcurrentHashMap.newKeySet();

  private Fallback() {}

  /**
   * What is made; or null where {@link KernelUnavailable} was thrown, with a warning the first time that this work lacks a kernel.
   *
   * @param work what libtorch does instead, for the start of a sentence, such as {@code Joins}
   */
  public static <T> @Nullable T orNone(String work, Supplier<T> make) {
    try {
      return make.get();
    } catch (KernelUnavailable e) {
      if (WARNED.add(work)) {
        System.getLogger("walsh").log(System.Logger.Level.WARNING,
            work + " run as separate operators of libtorch, which is slower, since " + e.getMessage() + ".");
      }
      return null;
    }
  }
}
