package dev.walsh.kernels.nn;

import dev.walsh.tensor.BoxedOperator;
import dev.walsh.tensor.CudaGraph;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Context;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.LongVector;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.SDPBackend;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * One of the fused attention kernels that libtorch has for the GPU. Which is fastest depends on the GPU, the shape and the version of cuDNN, so
 * the first pass of a shape in training, or before a CUDA graph, measures them; what is then in force is a setting of the whole process.
 */
public enum AttentionBackend {
  CUDNN(SDPBackend.cudnn_attention), FLASH(SDPBackend.flash_attention), EFFICIENT(SDPBackend.efficient_attention);

  /** What a kernel is chosen for. */
  private record Shape(Dtype dtype, List<Long> sizes, boolean backward) {}

  private static final Map<Shape, AttentionBackend> FASTEST = new ConcurrentHashMap<>();
  private static final BoxedOperator CHOICE = new BoxedOperator("aten::_fused_sdp_choice", "");
  private static final int ROUNDS = 6;
  private static final int PASSES = 8;
  /** cuDNN up to 9.15.0 computes lengths that are no multiple of 128 wrongly (github.com/pytorch/pytorch/issues/169849). */
  private static final long CUDNN_OF_ANY_LENGTH = 91501;
  private static final long CUDNN_LENGTHS = 128;

  static {
    // libtorch goes by this order, in which it has cuDNN last, behind the unfused operators, unless cuDNN is a recent one.
    torch.globalContext().setSDPPriorityOrder(new LongVector(Stream.of(SDPBackend.cudnn_attention, SDPBackend.flash_attention,
        SDPBackend.efficient_attention, SDPBackend.math).mapToLong(backend -> backend.value).toArray()));
  }

  private final SDPBackend number;

  AttentionBackend(SDPBackend number) {
    this.number = number;
  }

  /**
   * Puts the fastest kernel in force for q, k, v: (B,H,T,D) on the GPU. Nothing is measured while a CUDA graph is captured, nor where no
   * gradient is wanted and no graph is to come: cuDNN plans anew for every length, which would cost more than it saves in a text that grows.
   */
  static void choose(Tensor q, Tensor k, Tensor v) {
    boolean backward = CustomGradient.isWanted(q, k, v);
    if (!backward && !CudaGraph.isPreparing()) {
      FLASH.enforce();
      return;
    }
    var shape = new Shape(Dtype.of(q), Arrays.stream(q.shape()).boxed().toList(), backward);
    var known = FASTEST.get(shape);
    if (known == null) {
      known = isCapturing() ? FLASH : fastest(q, k, v, backward);
      if (!isCapturing()) FASTEST.put(shape, known);
    }
    known.enforce();
  }

  private static boolean isCapturing() {
    return torch_cuda.currentStreamCaptureStatusMayInitCtx() != 0;
  }

  /** Allows this kernel, the memory-efficient one, which runs in float32 too, and the unfused operators, which always run. */
  private void enforce() {
    allow(this == FLASH, this == CUDNN, true);
  }

  private static void allow(boolean flash, boolean cudnn, boolean efficient) {
    var context = torch.globalContext();
    context.setSDPUseFlash(flash);
    context.setSDPUseCuDNN(cudnn);
    context.setSDPUseMemEfficient(efficient);
  }

  /**
   * As graphs, because a step is one: operator by operator, that of the least work for the host would win. In turns: a GPU that was idle takes a
   * while to reach its clock, and whichever came first would pay for that.
   */
  private static AttentionBackend fastest(Tensor q, Tensor k, Tensor v, boolean backward) {
    var graphs = new EnumMap<AttentionBackend, CudaGraph>(AttentionBackend.class);
    try {
      for (var backend : values()) {
        backend.enforceAlone();
        if (backend.runs(q, k, v)) graphs.put(backend, passes(q, k, v, backward));
      }
      var least = new EnumMap<AttentionBackend, Double>(AttentionBackend.class);
      for (int round = 0; round < ROUNDS; round++) {
        graphs.forEach((backend, graph) -> least.merge(backend, seconds(graph), Math::min));
      }
      return least.entrySet().stream().min(Map.Entry.comparingByValue()).map(Map.Entry::getKey).orElse(EFFICIENT);
    } finally {
      graphs.values().forEach(CudaGraph::close);
    }
  }

  /** Allows no other kernel in the whole process. */
  public void enforceAlone() {
    allow(this == FLASH, this == CUDNN, this == EFFICIENT);
  }

  /** Whether libtorch takes this kernel when it is the only one allowed, and may. */
  public boolean runs(Tensor q, Tensor k, Tensor v) {
    if (this == CUDNN && q.size(2) % CUDNN_LENGTHS != 0 && Context.versionRuntimeCuDNN() < CUDNN_OF_ANY_LENGTH) return false;
    try (var scope = Scope.open()) {
      long choice = CHOICE.callForInt(new IValue(q), new IValue(k), new IValue(v), new IValue(), new IValue(0.0), new IValue(true),
          new IValue(), new IValue(false));
      return choice == number.value;
    }
  }

  /** Some passes, forward and, where it shall be, backward. */
  private static CudaGraph passes(Tensor q, Tensor k, Tensor v, boolean backward) {
    CudaGraph.warmUp(() -> pass(q, k, v, backward));
    return CudaGraph.capture(() -> {
      for (int i = 0; i < PASSES; i++) pass(q, k, v, backward);
    });
  }

  private static double seconds(CudaGraph graph) {
    Device.CUDA.synchronize();
    long start = System.nanoTime();
    graph.replay();
    Device.CUDA.synchronize();
    return (System.nanoTime() - start) * 1e-9;
  }

  private static void pass(Tensor q, Tensor k, Tensor v, boolean backward) {
    try (var scope = Scope.open()) {
      if (!backward) {
        var unused = CausalAttention.scaledDotProduct(q, k, v);
        return;
      }
      var inputs = new TensorVector();
      for (var t : List.of(q, k, v)) inputs.push_back(t.detach().set_requires_grad(true));
      var out = CausalAttention.scaledDotProduct(inputs.get(0), inputs.get(1), inputs.get(2));
      torch.grad(new TensorVector(out), inputs, new TensorVector(out.detach()), new BoolOptional(), false, false);
    }
  }
}
