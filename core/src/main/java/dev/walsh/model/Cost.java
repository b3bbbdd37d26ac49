package dev.walsh.model;

/**
 * What a part of the model costs, for one token: each part computes its own, and the model adds them up.
 *
 * @param parameters trainable scalars
 * @param forward floating-point operations of the forward pass (a multiply-add is 2)
 * @param backward floating-point operations of the backward pass
 * @param saved elements kept from forward to backward where the kernels of the GPU run, each counted by the part that makes it; libtorch's
 *   operators, which run elsewhere, keep some more
 * @param moved elements that steps between matrix products read and write, forward and backward, each being one kernel
 */
public record Cost(long parameters, double forward, double backward, double saved, double moved) {
  public static final Cost NOTHING = new Cost(0, 0, 0, 0, 0);

  /** A learned matrix of {@code in} to {@code out} channels: one product forward, two backward. */
  public static Cost matrix(long in, long out) {
    return new Cost(in * out, 2.0 * in * out, 4.0 * in * out, 0, 0);
  }

  /** An elementwise step over {@code channels}: linear work, counted as one operation forward and two backward. */
  public static Cost elementwise(long parameters, long channels) {
    return new Cost(parameters, channels, 2.0 * channels, 0, 0);
  }

  public Cost plus(Cost other) {
    return new Cost(parameters + other.parameters, forward + other.forward, backward + other.backward, saved + other.saved,
        moved + other.moved);
  }

  /** The same with {@code elements} more that are kept. */
  public Cost keeping(double elements) {
    return new Cost(parameters, forward, backward, saved + elements, moved);
  }

  /** The same with {@code elements} more that are moved. */
  public Cost moving(double elements) {
    return new Cost(parameters, forward, backward, saved, moved + elements);
  }

  /** Floating-point operations of a training step, for one token. */
  public double training() {
    return forward + backward;
  }
}
