package dev.walsh.tensor;

import org.jspecify.annotations.Nullable;

/** Runs the same work again and again, on the GPU as a graph from the second time on; the first prepares what libraries do once. */
public final class GraphRunner implements AutoCloseable {
  private static final System.Logger LOGGER = System.getLogger("walsh");

  private final String name;
  private final Runnable work;
  private boolean capturing;
  private boolean warm;
  private @Nullable CudaGraph graph;

  /**
   * @param name of the work, for the start of a sentence, such as {@code The training step}
   * @param capturing whether it shall be a graph, which takes a GPU
   */
  public GraphRunner(String name, Runnable work, boolean capturing) {
    this.name = name;
    this.work = work;
    this.capturing = capturing;
  }

  /** Runs the work once. */
  public void run() {
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
      LOGGER.log(System.Logger.Level.WARNING, name + " cannot be captured as a CUDA graph (" + error.getMessage()
          + "), so it runs operator by operator, more slowly and with the same results.");
    }
  }

  @Override
  public void close() {
    if (graph != null) graph.close();
  }
}
