package dev.walsh.train;

import dev.walsh.model.Kernels;

/**
 * How a training step is run, with the same results.
 *
 * @param graph whether the GPU gets it as one graph, captured at the second step, which leaves nothing to do for the host, instead of operator
 *   by operator, as elsewhere
 * @param recompute whether what is cheap to compute again has no memory between forward and backward
 */
public record Execution(boolean graph, boolean recompute) {
  /** Operator by operator. */
  public static final Execution PLAIN = new Execution(false, false);
  /** As one graph, where there is a GPU. */
  public static final Execution GRAPH = new Execution(true, false);

  /** What the model computes with. */
  public Kernels kernels() {
    return recompute ? Kernels.RECOMPUTING : Kernels.FUSED;
  }

  /** The same, recomputing or not. */
  public Execution recomputing(boolean recompute) {
    return new Execution(graph, recompute);
  }
}
