package dev.walsh.tensor;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Edge;
import org.bytedeco.pytorch.EdgeVector;
import org.bytedeco.pytorch.FunctionPostHook;
import org.bytedeco.pytorch.FunctionPreHook;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Node;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The gradient of one of our own kernels. The bindings have no {@code autograd.Function}, so a node of libtorch's is rewired: a
 * concatenation of as many scalars as there are inputs makes a node with that many edges; the edges are pointed at the true inputs, a hook
 * before it computes the gradients and hands the node nothing to do, a hook after it returns them. No memory beyond the scalars is touched.
 *
 * <p>libtorch holds Java hooks weakly. They belong to the scope in which they were attached, and that scope must still be open when
 * backward runs.
 */
public final class CustomGradient {
  /** Computes the gradients of all inputs, null where none is wanted, from those of the outputs, null where an output was not used. */
  @FunctionalInterface
  public interface Backward {
    List<@Nullable Tensor> apply(List<@Nullable Tensor> outputGradients);
  }

  private final List<Tensor> inputs;
  private final int outputs;
  private final Backward backward;
  // Made in the scope of the forward pass, since a CUDA backward runs on a thread of libtorch's that has no scope to free them.
  private final TensorVector gradients;
  private final TensorVector nothing;

  private CustomGradient(List<Tensor> inputs, int outputs, Backward backward) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.backward = backward;
    this.gradients = new TensorVector(inputs.size());
    this.nothing = new TensorVector(outputs);
  }

  /** Whether the gradient of any of these tensors would be recorded now. */
  public static boolean isWanted(Tensor... inputs) {
    if (!GradMode.is_enabled()) return false;
    for (var t : inputs) {
      if (t.requires_grad()) return true;
    }
    return false;
  }

  /** Makes {@code outputs}, fresh tensors without a history, depend on {@code inputs} through {@code backward}. */
  public static void attach(List<Tensor> inputs, List<Tensor> outputs, Backward backward) {
    if (PointerScope.getInnerScope() == null) throw new IllegalStateException("a custom gradient needs an open Scope to live in");
    var gradient = new CustomGradient(List.copyOf(inputs), outputs.size(), backward);
    var edges = new EdgeVector();
    for (var input : inputs) edges.push_back(edge(input));
    Node node = carrier(inputs.size());
    node.set_next_edges(edges);
    node.clear_input_metadata();
    for (var output : outputs) torch.create_gradient_edge(output, node);
    node.add_pre_hook(gradient.new Before());
    node.add_post_hook(gradient.new After());
  }

  private static Node carrier(int edges) {
    var scalars = new TensorVector();
    for (int i = 0; i < edges; i++) {
      scalars.push_back(torch.empty(1).set_requires_grad(true));
    }
    return torch.cat(scalars).grad_fn();
  }

  /** A view's next edge is the one way to reach a tensor's gradient function or, for a leaf, its accumulator. */
  private static Edge edge(Tensor input) {
    return input.requires_grad() ? input.view_as(input).grad_fn().next_edge(0) : new Edge();
  }

  private void compute(TensorVector outputGradients) {
    var given = new ArrayList<@Nullable Tensor>();
    for (int i = 0; i < outputs; i++) {
      var g = outputGradients.get(i);
      given.add(g.defined() ? g : null);
    }
    var computed = backward.apply(given);
    if (computed.size() != inputs.size()) {
      throw new IllegalStateException("a backward returned " + computed.size() + " gradients for " + inputs.size() + " inputs");
    }
    for (int i = 0; i < computed.size(); i++) {
      var g = computed.get(i);
      if (g == null) continue;
      check(g, inputs.get(i), i);
      gradients.put(i, g);
    }
  }

  private static void check(Tensor gradient, Tensor input, int index) {
    if (!Arrays.equals(gradient.shape(), input.shape()) || Dtype.of(gradient) != Dtype.of(input)) {
      throw new IllegalStateException("gradient " + index + " is " + Dtype.of(gradient) + Arrays.toString(gradient.shape())
          + ", its input " + Dtype.of(input) + Arrays.toString(input.shape()));
    }
  }

  /** Computes the gradients and gives the node undefined ones, on which it does nothing. */
  private final class Before extends FunctionPreHook {
    @Override
    public TensorVector apply(TensorVector outputGradients) {
      try (var scope = Scope.withoutGradients()) {
        compute(outputGradients);
      }
      return nothing;
    }
  }

  /** Puts what Before computed into the node's own result, and lets go of it: held until the scope ends, a step's gradients add up. */
  private final class After extends FunctionPostHook {
    @Override
    public TensorVector apply(TensorVector inputGradients, TensorVector outputGradients) {
      for (int i = 0; i < inputs.size(); i++) inputGradients.put(i, gradients.get(i));
      gradients.clear();
      gradients.resize(inputs.size());
      return inputGradients;
    }
  }
}
