package dev.walsh.tensor;

import java.util.function.Supplier;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.DataPtr;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorBase;
import org.bytedeco.pytorch.VoidTensorHook;
import org.jspecify.annotations.Nullable;

/**
 * A tensor without memory between the forward pass, which made it, and the part of backward that reads it, for which it is computed again
 * (arXiv 1604.06174). The tensor, its views and whatever the graph kept of it stay what they are: it is the storage below them that is
 * emptied and filled, so that neither the operator that made it nor the one that reads it need know.
 *
 * <p>All work must be on one stream, and the hooks belong to the scope in which they were attached, which must still be open in backward.
 */
public final class Recomputation {
  private Recomputation() {}

  /**
   * Frees the memory of {@code value} until the gradient of {@code user} is there, and again from when its own is.
   *
   * @param value all of a storage, which the backward of what made it does not read
   * @param user computed from {@code value}; between the two lie all who read it in backward
   * @param again computes the same elements, in the same layout, without recording gradients; runs once, in backward
   */
  public static void between(Tensor value, Tensor user, Supplier<Tensor> again) {
    if (PointerScope.getInnerScope() == null) throw new IllegalStateException("a recomputation needs an open Scope to live in");
    user.register_hook(new Hook(() -> fill(value, again.get())));
    value.register_hook(new Hook(() -> empty(value)));
    empty(value);
  }

  private static void empty(Tensor value) {
    try (var scope = Scope.open()) {
      value.storage().set_data_ptr_noswap(new DataPtr(new Pointer(), value.device()));
    }
  }

  /** Hands the memory of a fresh tensor over. */
  private static void fill(Tensor value, Tensor fresh) {
    if (fresh.nbytes() != value.nbytes()) {
      throw new IllegalStateException("recomputed " + fresh.nbytes() + " bytes instead of " + value.nbytes());
    }
    value.storage().set_data_ptr_noswap(fresh.storage().mutable_data_ptr());
  }

  /** What libtorch calls with a gradient, which matters here only in that it is there. */
  private static final class Hook extends VoidTensorHook {
    private final Runnable onGradient;

    Hook(Runnable onGradient) {
      this.onGradient = onGradient;
    }

    @Override
    public void call(@Nullable TensorBase gradient) {
      // A reference of our own, which would keep the gradient's memory until the collector comes.
      if (gradient != null) gradient.close();
      try (var scope = Scope.withoutGradients()) {
        onGradient.run();
      }
    }
  }
}
