package dev.walsh.tensor;

import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorBase;
import org.bytedeco.pytorch.VoidTensorHook;

/**
 * A listener that every backward pass calls with the gradient of one leaf, as soon as it is complete and before the rest of the pass. It runs
 * in a scope of its own, without gradients; on the GPU the thread is one of libtorch's, and the current stream is that of the pass.
 */
public final class GradientHook implements AutoCloseable {
  private final Tensor leaf;
  private final Listener listener;
  private final int handle;

  private GradientHook(Tensor leaf, Consumer<Tensor> onGradient) {
    this.leaf = leaf;
    try (var scope = Scope.open()) {
      // libtorch holds it weakly.
      listener = scope.keep(new Listener(onGradient));
      handle = leaf.register_hook(listener);
    }
  }

  /** Listens to a leaf, which must outlive the hook. */
  public static GradientHook on(Tensor leaf, Consumer<Tensor> onGradient) {
    return new GradientHook(leaf, onGradient);
  }

  @Override
  public void close() {
    leaf.remove_hook(handle);
    listener.close();
  }

  /** What libtorch calls. */
  private static final class Listener extends VoidTensorHook {
    private final Consumer<Tensor> onGradient;

    Listener(Consumer<Tensor> onGradient) {
      this.onGradient = onGradient;
    }

    @Override
    public void call(TensorBase gradient) {
      try (var scope = Scope.withoutGradients()) {
        onGradient.accept(new Tensor(gradient));
      }
    }
  }
}
