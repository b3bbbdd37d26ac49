package dev.walsh.kernels.nn;

import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The gate of an MLP: silu(gate) ⊙ up (arXiv 2002.05202), of a gate and an up that one matrix product made side by side. On the GPU it keeps
 * nothing but its input, from which backward computes the rest again.
 */
public final class SwiGlu {
  private record Shape(Dtype dtype, int hidden) {}

  private static final KernelCache<Shape, SwiGlu> KERNELS = new KernelCache<>("SwiGLU's parts", SwiGlu::new);
  private static final int THREADS = 512;

  private final int vector;
  private final CudaModule.Kernel forward;
  private final CudaModule.Kernel backward;

  private SwiGlu(Shape shape) {
    vector = KernelText.vector(shape.dtype, shape.hidden);
    var module = KernelText.compile("swiglu", shape.dtype, vector, "HIDDEN=" + shape.hidden, "THREADS=" + THREADS);
    forward = module.kernel("swiglu_forward", 0);
    backward = module.kernel("swiglu_backward", 0);
  }

  /** gateUp: (…,2F), the gate first -> (…,F). */
  public static Tensor apply(Tensor gateUp) {
    if (!KernelText.covers(gateUp)) return plain(gateUp);
    var kernels = KERNELS.of(new Shape(Dtype.of(gateUp), (int) gateUp.size(-1) / 2));
    return kernels == null ? plain(gateUp) : fused(gateUp, kernels);
  }

  /** Of x: (…,C) and the matrix of gate and up (2F,C), or in bytes -> (…,F): the product too, for few rows that want no gradient; else null. */
  public static @Nullable Tensor ofFewRows(Tensor x, Tensor weight) {
    return CudaFewRows.gated(x, weight);
  }

  /** The same in libtorch's own operators, which the kernel must agree with. */
  public static Tensor plain(Tensor gateUp) {
    var halves = gateUp.chunk(2, -1);
    return torch.silu(halves.get(0)).mul(halves.get(1));
  }

  private static Tensor fused(Tensor gateUp, SwiGlu kernels) {
    var shape = gateUp.shape();
    shape[shape.length - 1] /= 2;
    Tensor packed;
    Tensor out;
    try (var scope = Scope.withoutGradients()) {
      packed = scope.escape(gateUp.contiguous());
      out = scope.escape(torch.empty(shape, gateUp.options(), null));
      kernels.launch(true, kernels.forward, out, packed, out);
    }
    if (CustomGradient.isWanted(gateUp)) {
      CustomGradient.attach(List.of(gateUp), List.of(out), given -> Arrays.asList(kernels.gradient(packed, given.getFirst())));
    }
    return out;
  }

  private @Nullable Tensor gradient(Tensor gateUp, @Nullable Tensor upstream) {
    if (upstream == null) return null;
    var given = upstream.contiguous();
    var gradient = torch.empty_like(gateUp);
    launch(false, backward, given, gateUp, given, gradient);
    return gradient;
  }

  /** A thread for each vector of {@code halves}, (…,F). */
  private void launch(boolean early, CudaModule.Kernel kernel, Tensor halves, Tensor... tensors) {
    long vectors = halves.numel() / vector;
    if (vectors == 0) return;
    var arguments = Arrays.copyOf(Arrays.stream(tensors).mapToLong(CudaModule::argument).toArray(), tensors.length + 1);
    arguments[tensors.length] = vectors;
    kernel.launch(early, Math.toIntExact(Math.ceilDiv(vectors, THREADS)), THREADS, arguments);
  }
}
