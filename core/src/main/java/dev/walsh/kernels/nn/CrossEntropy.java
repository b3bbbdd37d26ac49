package dev.walsh.kernels.nn;

import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.MatrixProduct;
import dev.walsh.tensor.Scope;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The head of a language model and its loss, in one node of the graph: the mean cross-entropy of {@code hidden·embeddingᵀ} against the next
 * ids, in nats a token, over all columns of the embedding.
 *
 * <p>Forward computes the gradients too, a chunk of rows at a time: a product gives the chunk's logits, a kernel turns them into their
 * losses and their gradient where they lie, and two products take that to the hidden states and to the embedding. So no more logits exist
 * than those of a chunk, in the dtype of the model, and backward has only to scale, by a number that stays on the device.
 *
 * <p>An id outside of the vocabulary makes the loss and the gradients NaN.
 */
public final class CrossEntropy {
  /** Fewer chunks add up the embedding's gradient with less rounding and in less time; more would save memory that others need anyway. */
  private static final long CHUNK_BYTES = 2L << 30;

  private static final KernelCache<CrossEntropyKernels.Shape, CrossEntropyKernels> KERNELS = new KernelCache<>("Losses",
      CrossEntropyKernels::new);

  private CrossEntropy() {}

  /** hidden: (…,C), embedding: (V,C), targets: (…) int64 -> scalar, float32 or wider. */
  public static Tensor apply(Tensor hidden, Tensor embedding, Tensor targets) {
    return apply(hidden, embedding, targets, CHUNK_BYTES);
  }

  static Tensor apply(Tensor hidden, Tensor embedding, Tensor targets, long chunkBytes) {
    var kernels = CustomGradient.isWanted(hidden, embedding) ? kernels(hidden, (int) embedding.size(0)) : null;
    if (kernels == null) return plain(hidden, embedding, targets, chunkBytes);
    var pass = new Pass(kernels, hidden, embedding, targets, chunkBytes);
    CustomGradient.attach(List.of(hidden, embedding), List.of(pass.loss), pass::backward);
    return pass.loss;
  }

  private static @Nullable LossKernels kernels(Tensor hidden, int columns) {
    var dtype = Dtype.of(hidden);
    if (hidden.is_cpu()) return dtype == Dtype.BF16 ? CpuCrossEntropy.INSTANCE : null;
    // In half precision the gradients of rare tokens would vanish.
    return KernelText.covers(hidden) && dtype != Dtype.F16 ? KERNELS.of(new CrossEntropyKernels.Shape(columns, dtype)) : null;
  }

  /** The same in libtorch's operators; where no gradients are wanted, as many rows at a time as the bound on the logits allows. */
  public static Tensor plain(Tensor hidden, Tensor embedding, Tensor targets) {
    return plain(hidden, embedding, targets, CHUNK_BYTES);
  }

  static Tensor plain(Tensor hidden, Tensor embedding, Tensor targets, long chunkBytes) {
    var flat = hidden.reshape(-1, hidden.size(-1));
    var ids = targets.reshape(-1);
    long rows = flat.size(0);
    long chunk = chunk(rows, plainBytes(embedding.size(0), Dtype.of(embedding)), chunkBytes);
    if (chunk == rows || CustomGradient.isWanted(hidden, embedding)) return whole(flat, embedding, ids);
    try (var scope = Scope.withoutGradients()) {
      var shares = new TensorVector();
      for (long start = 0; start < rows; start += chunk) {
        long n = Math.min(chunk, rows - start);
        try (var inner = Scope.open()) {
          var mean = whole(flat.narrow(0, start, n), embedding, ids.narrow(0, start, n));
          shares.push_back(inner.escape(mean.mul(new Scalar((double) n / rows))));
        }
      }
      return scope.escape(torch.stack(shares).sum());
    }
  }

  /** Bytes that a pass with gradients holds at once of logits and what the loss makes of them, on a device where our kernels run or do not. */
  public static long bytes(long rows, long columns, Dtype dtype, Device device) {
    if (dtype == Dtype.BF16 || device == Device.CUDA && dtype == Dtype.F32) {
      long row = columns * dtype.bytes();
      return chunk(rows, row, CHUNK_BYTES) * row;
    }
    // And the gradient of the log-softmax.
    return rows * (plainBytes(columns, dtype) + columns * wideBytes(dtype));
  }

  /** Bytes of a row of logits, of their copy in the loss's dtype and of their log-softmax. */
  static long plainBytes(long columns, Dtype dtype) {
    return columns * (dtype.bytes() + 2L * wideBytes(dtype));
  }

  private static int wideBytes(Dtype dtype) {
    return Math.max(dtype.bytes(), Dtype.F32.bytes());
  }

  private static Tensor whole(Tensor hidden, Tensor embedding, Tensor targets) {
    return torch.cross_entropy_loss(torch.linear(hidden, embedding).to(wide(hidden)), targets);
  }

  /** The dtype of the loss: rounded to bf16 it would have three digits. */
  private static ScalarType wide(Tensor hidden) {
    return Dtype.of(hidden) == Dtype.F64 ? Dtype.F64.scalarType() : Dtype.F32.scalarType();
  }

  /** Rows of a chunk: all chunks but the last are alike, and the last is hardly smaller. */
  private static long chunk(long rows, long rowBytes, long chunkBytes) {
    long most = Math.max(1, chunkBytes / rowBytes);
    return Math.ceilDiv(rows, Math.max(1, Math.ceilDiv(rows, most)));
  }

  /** One forward pass and the gradients that its backward hands out. */
  private static final class Pass {
    private final LossKernels kernels;
    private final Tensor loss;
    private final Tensor dHidden;
    private final Tensor dEmbedding;
    private boolean spent;

    Pass(LossKernels kernels, Tensor hidden, Tensor embedding, Tensor targets, long chunkBytes) {
      this.kernels = kernels;
      try (var scope = Scope.withoutGradients()) {
        var x = hidden.reshape(-1, hidden.size(-1)).contiguous();
        var ids = targets.reshape(-1).contiguous();
        dHidden = scope.escape(torch.empty(hidden.shape(), hidden.options(), null));
        dEmbedding = scope.escape(torch.empty(embedding.shape(), embedding.options(), null));
        long rows = x.size(0);
        var losses = torch.empty(new long[] {rows}, (x.is_cpu() ? Device.CPU : Device.CUDA).options(Dtype.F32), null);
        var dx = dHidden.view(rows, -1);
        long chunk = chunk(rows, embedding.size(0) * Dtype.of(hidden).bytes(), chunkBytes);
        var logits = torch.empty(new long[] {chunk, embedding.size(0)}, hidden.options(), null);
        for (long start = 0; start < rows; start += chunk) {
          long n = Math.min(chunk, rows - start);
          try (var inner = Scope.open()) {
            var part = x.narrow(0, start, n);
            var y = logits.narrow(0, 0, n);
            MatrixProduct.into(y, part, false, embedding, true, null);
            kernels.gradient(y, ids.narrow(0, start, n), losses.narrow(0, start, n), 1f / rows);
            MatrixProduct.into(dx.narrow(0, start, n), y, false, embedding, false, null);
            MatrixProduct.into(dEmbedding, y, true, part, false, start == 0 ? null : dEmbedding);
          }
        }
        loss = scope.escape(losses.mean());
      }
    }

    List<@Nullable Tensor> backward(List<@Nullable Tensor> given) {
      var upstream = given.getFirst();
      if (upstream == null) return Arrays.asList(null, null);
      if (spent) throw new IllegalStateException("a second backward through one loss: its gradients were scaled where they lay");
      spent = true;
      kernels.scale(dHidden, upstream);
      kernels.scale(dEmbedding, upstream);
      return Arrays.asList(dHidden, dEmbedding);
    }
  }
}
