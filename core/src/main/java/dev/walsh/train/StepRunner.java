package dev.walsh.train;

import dev.walsh.tensor.CudaGraph;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.OutOfMemory;
import org.jspecify.annotations.Nullable;

/** Runs the same work again and again, on the GPU as a graph from the second time on; the first prepares what libraries do once. */
final class StepRunner implements AutoCloseable {
  private static final System.Logger LOGGER = System.getLogger("walsh");

  private final Runnable work;
  private boolean capturing;
  private boolean warm;
  private @Nullable CudaGraph graph;

  StepRunner(Runnable work, Device device, Execution execution) {
    this.work = work;
    capturing = device == Device.CUDA && execution.graph();
  }

  void run() {
    if (capturing && !warm) {
      CudaGraph.warmUp(work);
      warm = true;
      return;
    }
    if (capturing && graph == null) capture();
    if (graph == null) {
      work.run();
    } else {
      graph.replay();
    }
  }

  private void capture() {
    try {
      graph = CudaGraph.capture(work);
    } catch (RuntimeException error) {
      // Operator by operator it would take as much.
      if (OutOfMemory.isCauseOf(error)) throw error;
      capturing = false;
      LOGGER.log(System.Logger.Level.WARNING, "The training step cannot be captured as a CUDA graph (" + error.getMessage()
          + "), so it runs operator by operator, more slowly and with the same results.");
    }
  }

  @Override
  public void close() {
    if (graph != null) graph.close();
  }
}
