package dev.walsh.measure;

import dev.walsh.tensor.CudaGraph;
import dev.walsh.tensor.Device;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.cuda.CUDAEvent;

/**
 * Times work on a device that takes turns with what it is compared to, so that all see the same clocks and neighbours. On the CPU a turn is
 * a stretch of calls; on the GPU it is a captured graph of calls, so that neither Java nor a launch is in the time.
 */
public final class Stopwatch {
  private static final int ROUNDS = 11;
  private static final int LEAST_ROUNDS = 3;
  private static final double MOST_SECONDS = 10;
  private static final double IDLE_SECONDS = 0.15;
  private static final double MOST_WARM_UP_SECONDS = 30;
  private static final double CPU_SECONDS = 0.02;
  private static final double CUDA_SECONDS = 0.002;
  private static final int MOST_CALLS_A_GRAPH = 1000;
  private static final int LEAST_CALLS_A_GRAPH = 3;

  private Stopwatch() {}

  /** Nanoseconds of one call of each work: the medians of eleven turns, or of three where they are long, after warming up. */
  public static double[] time(Device device, List<Runnable> works) {
    if (device == Device.META) throw new IllegalArgumentException("no time passes on a device without memory");
    var turns = works.stream().map(work -> device == Device.CUDA ? new Graph(work) : new Stretch(work)).toList();
    var times = new double[works.size()][ROUNDS];
    long start = System.nanoTime();
    int rounds = 0;
    while (rounds < ROUNDS && (rounds < LEAST_ROUNDS || System.nanoTime() - start < MOST_SECONDS * 1e9)) {
      for (int i = 0; i < times.length; i++) times[i][rounds] = turns.get(i).nanosecondsACall();
      rounds++;
    }
    turns.forEach(Turn::close);
    int taken = rounds;
    return Arrays.stream(times).mapToDouble(t -> median(Arrays.copyOf(t, taken))).toArray();
  }

  /** The fastest of several ways to do the same, in nanoseconds a call. */
  public static double fastest(Device device, List<Runnable> ways) {
    return Arrays.stream(time(device, ways)).min().orElseThrow();
  }

  private static double median(double[] values) {
    Arrays.sort(values);
    return values[values.length / 2];
  }

  private sealed interface Turn {
    double nanosecondsACall();

    void close();
  }

  private static final class Stretch implements Turn {
    private final Runnable work;

    Stretch(Runnable work) {
      this.work = work;
      warmUp();
    }

    /** Until the JIT compiler has had nothing to do for a while. */
    private void warmUp() {
      long start = System.nanoTime();
      for (long busy = start, now = start; now - busy < IDLE_SECONDS * 1e9 && now - start < MOST_WARM_UP_SECONDS * 1e9;) {
        nanosecondsACall();
        now = System.nanoTime();
        if (!JitCompiler.isIdle()) busy = now;
      }
    }

    @Override
    public double nanosecondsACall() {
      long start = System.nanoTime();
      int calls = 0;
      do {
        work.run();
        calls++;
      } while (System.nanoTime() - start < CPU_SECONDS * 1e9);
      return (System.nanoTime() - start) / (double) calls;
    }

    @Override
    public void close() {}
  }

  private static final class Graph implements Turn {
    private final int calls;
    private final CudaGraph graph;

    Graph(Runnable work) {
      CudaGraph.warmUp(work);
      CudaGraph.warmUp(work);
      long start = System.nanoTime();
      CudaGraph.warmUp(() -> repeat(work, LEAST_CALLS_A_GRAPH));
      double seconds = (System.nanoTime() - start) * 1e-9 / LEAST_CALLS_A_GRAPH;
      // The time of a launch is in the seconds of small work, so that its graph comes out shorter.
      calls = (int) Math.clamp(Math.round(CUDA_SECONDS / seconds), LEAST_CALLS_A_GRAPH, MOST_CALLS_A_GRAPH);
      graph = CudaGraph.capture(() -> repeat(work, calls));
    }

    private static void repeat(Runnable work, int times) {
      for (int i = 0; i < times; i++) work.run();
    }

    /** The replay before the one that is timed keeps the GPU busy until the latter is launched. */
    @Override
    public double nanosecondsACall() {
      try (var start = new CUDAEvent(0); var end = new CUDAEvent(0)) {
        graph.replay();
        start.record();
        graph.replay();
        end.record();
        end.synchronize();
        return start.elapsed_time(end) * 1e6 / calls;
      }
    }

    @Override
    public void close() {
      graph.close();
    }
  }
}
