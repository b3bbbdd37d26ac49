package dev.walsh.train;

import dev.walsh.tensor.CudaActivity;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where a training step's time goes, by the GPU's own record of one; recording makes it a little slower.
 *
 * @param groups the longest first
 * @param milliseconds from the start of the first kernel to the end of the last
 * @param idleMilliseconds of these in which no kernel ran
 * @param launches of kernels, copies and fills
 */
public record StepProfile(List<Group> groups, double milliseconds, double idleMilliseconds, int launches) {
  /**
   * Kernels of one kind.
   *
   * @param group what they are for
   * @param milliseconds of all of them
   * @param share of the step; shares add up to more than one where kernels run side by side
   * @param launches how many they are
   */
  public record Group(KernelGroup group, double milliseconds, double share, int launches) {}

  /** Takes two steps, on every machine, and records the second: the first prepares that. Null where nothing can be recorded. */
  static @Nullable StepProfile of(Runnable step) {
    CudaActivity.of(step);
    var spans = CudaActivity.of(step);
    return spans == null || spans.isEmpty() ? null : of(spans);
  }

  /** Of the record of a step, which is not empty. */
  static StepProfile of(List<CudaActivity.Span> spans) {
    var sorted = spans.stream().sorted(Comparator.comparingLong(CudaActivity.Span::start)).toList();
    long start = sorted.getFirst().start();
    long end = start;
    long idle = 0;
    var times = new EnumMap<KernelGroup, Long>(KernelGroup.class);
    var launches = new EnumMap<KernelGroup, Integer>(KernelGroup.class);
    for (var span : sorted) {
      idle += Math.max(0, span.start() - end);
      end = Math.max(end, span.end());
      var group = KernelGroup.of(span.name());
      times.merge(group, span.end() - span.start(), Long::sum);
      launches.merge(group, 1, Integer::sum);
    }
    double all = (end - start) * 1e-6;
    var groups = new ArrayList<Group>();
    times.forEach((group, nanoseconds) -> groups.add(
        new Group(group, nanoseconds * 1e-6, nanoseconds * 1e-6 / all, launches.getOrDefault(group, 0))));
    groups.sort(Comparator.comparingDouble(Group::milliseconds).reversed());
    return new StepProfile(List.copyOf(groups), all, idle * 1e-6, spans.size());
  }
}
