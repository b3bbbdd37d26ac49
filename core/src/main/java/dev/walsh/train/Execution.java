package dev.walsh.train;

/** How a training step is handed to the device. */
public enum Execution {
  /** Operator by operator. */
  PLAIN,
  /** On the GPU as one graph, captured at the second step, which leaves nothing to do for the host; elsewhere as {@link #PLAIN}. */
  GRAPH
}
