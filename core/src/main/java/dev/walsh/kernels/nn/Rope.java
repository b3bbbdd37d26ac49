package dev.walsh.kernels.nn;

import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.KernelUnavailable;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Rotary position embedding, half-split as in Llama (arXiv 2104.09864), of the queries and keys that one matrix product made beside the
 * values: channel i is rotated together with channel i + D/2, by the angle position · base^(−2i/D).
 */
public final class Rope {
  /** Queries, keys and values, (B,H,T,D) each where nothing else is said. */
  public record Heads(Tensor query, Tensor key, Tensor value) {}

  private static final KernelCache<Shape, Kernels> KERNELS = new KernelCache<>("Rotations of queries and keys", Kernels::new);

  private final int headWidth;
  // (context,1,D/2), to be broadcast over heads.
  private final Tensor cosine;
  private final Tensor sine;
  // (D/2) float64
  private final Tensor frequencies;

  /**
   * Makes the tables of cosines and sines. They are in the model's dtype; for the kernel, which computes in float32, they are in that.
   *
   * @param context the most positions of the tables
   * @param headWidth D, even
   * @param base of the wavelengths
   */
  public Rope(int context, int headWidth, double base, Weights.Path path) {
    this.headWidth = headWidth;
    int half = headWidth / 2;
    var turns = IntStream.range(0, half).mapToDouble(i -> Math.pow(base, -(double) i / half)).toArray();
    var cos = new double[context * half];
    var sin = new double[context * half];
    for (int t = 0; t < context; t++) {
      for (int i = 0; i < half; i++) {
        double angle = t * turns[i];
        cos[t * half + i] = Math.cos(angle);
        sin[t * half + i] = Math.sin(angle);
      }
    }
    var dtype = path.device() == Device.CUDA && path.dtype() != Dtype.F64 ? Dtype.F32 : path.dtype();
    cosine = path.fixed(dtype, cos, context, 1, half);
    sine = path.fixed(dtype, sin, context, 1, half);
    frequencies = path.fixed(Dtype.F64, turns, half);
  }

  /**
   * Splits packed rows into heads and rotates queries and keys; the results may be views of {@code packed}, which on the GPU is overwritten
   * and must be nobody else's.
   *
   * @param packed (B,T,3C): query, key and value
   */
  public Heads apply(Tensor packed) {
    var kernels = kernels(packed, packed.size(2));
    return kernels == null ? plain(packed) : fused(packed, new Angles(cosine, sine), kernels);
  }

  /** The same where tokens have positions of their own. packed: (B,T,3C), likewise; angles: of the T tokens. */
  public Heads apply(Tensor packed, Angles angles) {
    var kernels = kernels(packed, packed.size(2));
    return kernels == null ? plain(packed, angles) : fused(packed, angles, kernels);
  }

  /** Those for rows of 3C elements; null where none rotate them. */
  private @Nullable Kernels kernels(Tensor packed, long row) {
    if (!KernelText.covers(packed) || !packed.is_contiguous()) return null;
    return KERNELS.of(new Shape(Dtype.of(packed), (int) (row / 3 / headWidth), headWidth));
  }

  /** The same in libtorch's own operators, which the kernel must agree with. packed: (B,T,3C), left alone. */
  public Heads plain(Tensor packed) {
    long b = packed.size(0);
    long t = packed.size(1);
    long width = packed.size(2) / 3;
    long heads = width / headWidth;
    var rotated = rotate(packed.narrow(2, 0, 2 * width).view(b, t, 2 * heads, headWidth));
    return new Heads(rotated.narrow(2, 0, heads).transpose(1, 2), rotated.narrow(2, heads, heads).transpose(1, 2),
        packed.narrow(2, 2 * width, width).view(b, t, heads, headWidth).transpose(1, 2));
  }

  /**
   * The angles of some positions, computed for them, so that there is no last one.
   *
   * @param cosine (T,D/2), in the dtype of the tables
   * @param sine likewise
   */
  public record Angles(Tensor cosine, Tensor sine) {}

  /** positions: (T) int64, any; in float64, since those of a millionth token would lose their phase in float32. */
  public Angles angles(Tensor positions) {
    var angles = torch.outer(positions.to(frequencies.scalar_type()), frequencies);
    return new Angles(angles.cos().to(cosine.scalar_type()), angles.sin().to(sine.scalar_type()));
  }

  /** As {@link #apply(Tensor, Angles)}, in libtorch's own operators. packed: (B,T,3C), left alone. */
  public Heads plain(Tensor packed, Angles angles) {
    var heads = split(packed, headWidth);
    return new Heads(rotate(heads.query, angles.cosine, angles.sine), rotate(heads.key, angles.cosine, angles.sine), heads.value);
  }

  /** Queries, keys and values as they are. packed: (B,T,3C) -> views of it. */
  public static Heads split(Tensor packed, long headWidth) {
    var parts = packed.view(packed.size(0), packed.size(1), 3, -1, headWidth).permute(2, 0, 3, 1, 4);
    return new Heads(parts.select(0, 0), parts.select(0, 1), parts.select(0, 2));
  }

  /** x: (B,T,H,D) -> (B,T,H,D). */
  private Tensor rotate(Tensor x) {
    long t = x.size(1);
    return rotate(x, cosine.narrow(0, 0, t), sine.narrow(0, 0, t));
  }

  /** x: (…,D), cos, sin: to be broadcast to (…,D/2). */
  private static Tensor rotate(Tensor x, Tensor cos, Tensor sin) {
    var halves = x.chunk(2, -1);
    var a = halves.get(0);
    var b = halves.get(1);
    return torch.cat(new TensorVector(a.mul(cos).sub(b.mul(sin)), a.mul(sin).add(b.mul(cos))), -1).to(x.scalar_type());
  }

  /**
   * Rotates the queries and keys of new tokens by positions of their own and writes keys and values where a cache keeps them; the results may
   * be views of {@code packed}, which on the GPU is overwritten and must be nobody else's.
   *
   * @param packed (N,3C): query, key and value
   * @param positions (N) int64, each below the context
   * @param slots (N) int64, all different: the tokens' places in the cache
   * @param cache whose pages hold them
   * @return (N,H,D) each
   */
  Heads append(Tensor packed, Tensor positions, Tensor slots, KvLayer cache) {
    var kernels = kernels(packed, packed.size(1));
    if (kernels == null) return plainAppend(packed, positions, slots, cache);
    kernels.append(packed, cosine, sine, positions, slots, cache);
    var apart = packed.view(packed.size(0), 3, -1, headWidth);
    return new Heads(apart.select(1, 0), apart.select(1, 1), apart.select(1, 2));
  }

  /** The same in libtorch's own operators, which the kernel must agree with. */
  Heads plainAppend(Tensor packed, Tensor positions, Tensor slots, KvLayer cache) {
    long width = packed.size(1) / 3;
    long heads = width / headWidth;
    var rotated = rotate(packed.narrow(1, 0, 2 * width).view(-1, 2 * heads, headWidth), cosine.index_select(0, positions),
        sine.index_select(0, positions));
    var out = new Heads(rotated.narrow(1, 0, heads), rotated.narrow(1, heads, heads),
        packed.narrow(1, 2 * width, width).view(-1, heads, headWidth));
    cache.rows(cache.keys()).index_copy_(0, slots, out.key);
    cache.rows(cache.values()).index_copy_(0, slots, out.value);
    return out;
  }

  /** The cosines of all angles, (context,1,D/2), in the model's dtype, or in float32 for the kernels of the GPU. */
  Tensor cosine() {
    return cosine;
  }

  /** The sines, likewise. */
  Tensor sine() {
    return sine;
  }

  /** By how many radians a pair of channels turns from a position to the next: (D/2) float64. */
  public Tensor frequencies() {
    return frequencies;
  }

  int headWidth() {
    return headWidth;
  }

  private Heads fused(Tensor packed, Angles angles, Kernels kernels) {
    Heads out;
    try (var scope = Scope.withoutGradients()) {
      kernels.forward(packed, angles);
      var apart = packed.detach().view(packed.size(0), packed.size(1), 3, -1, headWidth).transpose(1, 3);
      out = new Heads(scope.escape(apart.select(2, 0)), scope.escape(apart.select(2, 1)), scope.escape(apart.select(2, 2)));
    }
    if (CustomGradient.isWanted(packed)) {
      CustomGradient.attach(List.of(packed), List.of(out.query, out.key, out.value),
          given -> Arrays.asList(kernels.backward(packed, given, angles)));
    }
    return out;
  }

  private record Shape(Dtype dtype, int heads, int headWidth) {}

  /** {@code rope.cu} for one shape. */
  private static final class Kernels {
    private static final int THREADS = 256;
    private static final int MOST_THREADS = 1024;

    private final Shape shape;
    private final int vector;
    private final int blockHeads;
    private final int threads;
    private final CudaModule.Kernel forward;
    private final CudaModule.Kernel backward;
    private final CudaModule.Kernel append;

    Kernels(Shape shape) {
      this.shape = shape;
      int half = shape.headWidth / 2;
      vector = KernelText.vector(shape.dtype, half);
      int headVectors = shape.headWidth / vector;
      blockHeads = Math.max(1, THREADS / headVectors);
      threads = blockHeads * headVectors;
      if (threads > MOST_THREADS) throw new KernelUnavailable("heads of " + shape.headWidth + " channels exceed a block of the GPU");
      var module = KernelText.compile("rope", shape.dtype, vector, "HEADS=" + shape.heads, "HALF=" + half, "BLOCK_HEADS=" + blockHeads);
      forward = module.kernel("rope_forward", 0);
      backward = module.kernel("rope_backward", 0);
      append = module.kernel("rope_append", 0);
    }

    private int blocks(long heads) {
      return Math.toIntExact(Math.ceilDiv(heads, blockHeads));
    }

    /** Rotates queries and keys in place. */
    void forward(Tensor packed, Angles angles) {
      long heads = packed.numel() / (3L * shape.headWidth);
      if (heads == 0) return;
      forward.launch(blocks(heads), threads, CudaModule.argument(packed), CudaModule.argument(angles.cosine),
          CudaModule.argument(angles.sine), heads, packed.size(1));
    }

    /** Rotates queries and keys in place, each token by its own position, and copies keys and values to the cache. */
    void append(Tensor packed, Tensor cosine, Tensor sine, Tensor positions, Tensor slots, KvLayer cache) {
      long heads = packed.numel() / (3L * shape.headWidth);
      if (heads == 0) return;
      append.launch(blocks(heads), threads, CudaModule.argument(packed), CudaModule.argument(cosine), CudaModule.argument(sine), heads,
          CudaModule.argument(positions), CudaModule.argument(slots), CudaModule.argument(cache.keys()),
          CudaModule.argument(cache.values()));
    }

    /** given: the gradients of queries, keys and values, (B,H,T,D) -> that of the packed rows, (B,T,3C). */
    Tensor backward(Tensor packed, List<@Nullable Tensor> given, Angles angles) {
      var gradient = torch.empty_like(packed);
      long heads = packed.numel() / (3L * shape.headWidth);
      if (heads == 0) return gradient;
      var q = rows(given.get(0));
      var k = rows(given.get(1));
      var v = rows(given.get(2));
      backward.launch(blocks(heads), threads, CudaModule.argument(q), CudaModule.argument(k), CudaModule.argument(v), stride(q), stride(k),
          stride(v), CudaModule.argument(gradient), CudaModule.argument(angles.cosine), CudaModule.argument(angles.sine), heads,
          packed.size(1));
      return gradient;
    }

    /** (B,H,T,D) -> (B·T,C), as attention leaves it if the kernel can read that. */
    private @Nullable Tensor rows(@Nullable Tensor gradient) {
      if (gradient == null) return null;
      var rows = gradient.transpose(1, 2).reshape(-1, (long) shape.heads * shape.headWidth);
      boolean aligned = rows.stride(1) == 1 && rows.stride(0) % vector == 0
          && rows.data_ptr().address() % ((long) vector * shape.dtype.bytes()) == 0;
      return aligned ? rows : rows.contiguous();
    }

    private static long stride(@Nullable Tensor rows) {
      return rows == null ? 0 : rows.stride(0);
    }
  }
}
