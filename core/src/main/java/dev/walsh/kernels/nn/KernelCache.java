package dev.walsh.kernels.nn;

import dev.walsh.tensor.Fallback;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The kernels of one operator, compiled when a shape first asks for them. */
public final class KernelCache<S, K> {
  private final String work;
  private final Function<S, K> compile;
  private final Map<S, @Nullable K> made = new HashMap<>();

  /** @param work what libtorch does where a machine cannot run the kernels, for the start of a sentence */
  public KernelCache(String work, Function<S, K> compile) {
    this.work = work;
    this.compile = compile;
  }

  /** The kernels of a shape; null where the machine cannot run them, which is tried once. */
  public synchronized @Nullable K of(S shape) {
    if (!made.containsKey(shape)) made.put(shape, Fallback.orNone(work, () -> compile.apply(shape)));
    return made.get(shape);
  }
}
