package dev.walsh.kernels.nn;

import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.KernelUnavailable;
import dev.walsh.tensor.Scope;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * Softmax attention of one new token a sequence over what a paged cache keeps of it; the token's rotated key and its value go into the cache
 * on the way. Positions and pages are read on the device, so that a graph of the GPU can hold it. It reads only what the sequences have.
 */
public final class PagedAttention implements AutoCloseable {
  private static final KernelCache<Shape, Kernel> KERNELS = new KernelCache<>("Attention of new tokens over a cache", Kernel::new);

  private final Rope rope;
  private final Tensor counters;

  /**
   * @param rope of the model
   * @param rows the most sequences of a call
   */
  public PagedAttention(Rope rope, int rows, int heads, Device device) {
    this.rope = rope;
    try (var scope = Scope.withoutGradients()) {
      counters = scope.keep(torch.zeros(new long[] {device == Device.CUDA ? (long) rows * heads : 0}, device.options(Dtype.I64)));
    }
  }

  /**
   * Attends.
   *
   * @param packed (B,3C), contiguous: query, key and value of the new tokens
   * @param positions (B) int64, contiguous: how many tokens came before each
   * @param table (B,…) int64: the pages of each sequence in order, its new token's included; what follows them must be pages too
   * @return (B,C)
   */
  public Tensor apply(Tensor packed, KvLayer cache, Tensor positions, Tensor table) {
    if (CpuPagedAttention.covers(packed)) return CpuPagedAttention.apply(packed, cache, positions, table, rope);
    if (!KernelText.covers(packed)) return plain(packed, cache, positions, table);
    var keys = cache.keys();
    var kernel = KERNELS.of(Shape.of(packed, (int) keys.size(2), (int) keys.size(3), cache.pageTokens()));
    return kernel == null ? plain(packed, cache, positions, table) : kernel.run(packed, cache, positions, table, rope, counters);
  }

  /** The same in libtorch's own operators, which the kernels must agree with; it reads all pages of the table. */
  public Tensor plain(Tensor packed, KvLayer cache, Tensor positions, Tensor table) {
    long p = cache.pageTokens();
    var page = positions.floor_divide(new Scalar(p));
    var slots = table.gather(1, page.unsqueeze(1)).squeeze(1).mul(new Scalar(p)).add(positions.remainder(new Scalar(p)));
    var query = rope.plainAppend(packed, positions, slots, cache).query().unsqueeze(2);
    long tokens = table.size(1) * p;
    var seen = torch.arange(new Scalar(tokens), positions.options()).unsqueeze(0).le(positions.unsqueeze(1)).unsqueeze(1);
    // Neither a mask nor a weight of zero makes nothing of what is no number.
    var unseen = seen.unsqueeze(3).logical_not();
    var keys = pages(cache.keys(), table).masked_fill(unseen, new Scalar(0));
    var values = pages(cache.values(), table).masked_fill(unseen, new Scalar(0));
    var out = torch.scaled_dot_product_attention(query, keys, values, new TensorOptional(seen.unsqueeze(2)), 0, false, new DoubleOptional(),
        false);
    return out.reshape(packed.size(0), packed.size(1) / 3);
  }

  /** (pages,P,H,D), (B,pages of a sequence) -> (B,H,tokens,D). */
  private static Tensor pages(Tensor all, Tensor table) {
    return all.index_select(0, table.reshape(-1)).view(table.size(0), -1, all.size(2), all.size(3)).transpose(1, 2);
  }

  @Override
  public void close() {
    counters.close();
  }

  /**
   * What the kernel is compiled for.
   *
   * @param warps that a head has: many where there are few heads of sequences, so that each reads all of a cache at once
   * @param blockHeads heads of a block
   */
  private record Shape(Dtype dtype, int heads, int headWidth, int pageTokens, int warps, int blockHeads) {
    private static final int WARP = 32;
    private static final int MOST_WARPS = 8;
    /** Of a block whose heads have fewer each. */
    private static final int BLOCK_WARPS = 4;
    /** Warps of one multiprocessor that keep its memory busy. */
    private static final int WARPS_A_MULTIPROCESSOR = 16;

    static Shape of(Tensor packed, int heads, int headWidth, int pageTokens) {
      int busy = CudaModule.multiprocessors() * WARPS_A_MULTIPROCESSOR;
      long each = busy / Math.max(1, packed.size(0) * heads);
      int warps = Integer.highestOneBit((int) Math.clamp(each, 1, MOST_WARPS));
      int blockHeads = Math.min(Math.max(1, BLOCK_WARPS / warps), Integer.lowestOneBit(heads));
      return new Shape(Dtype.of(packed), heads, headWidth, pageTokens, warps, blockHeads);
    }

    int threads() {
      return blockHeads * warps * WARP;
    }
  }

  /** {@code paged_attention.cu} for one shape. */
  private static final class Kernel {
    /** The shortest stretch of tokens that is worth a block of its own. */
    private static final int SPLIT_TOKENS = 128;
    /** So many are at work at once, by their registers. */
    private static final int THREADS_A_MULTIPROCESSOR = 512;

    private final Shape shape;
    private final CudaModule.Kernel kernel;

    Kernel(Shape shape) {
      this.shape = shape;
      int half = shape.headWidth / 2;
      int vector = KernelText.vector(shape.dtype, half);
      if (Integer.bitCount(shape.pageTokens) != 1)
        throw new KernelUnavailable("pages of " + shape.pageTokens + " tokens are no power of two");
      kernel = KernelText
          .compile("paged_attention", shape.dtype, vector, "HEADS=" + shape.heads, "HALF=" + half, "PAGE=" + shape.pageTokens,
              "SPLIT_TOKENS=" + SPLIT_TOKENS, "WARPS=" + shape.warps, "BLOCK_HEADS=" + shape.blockHeads)
          .kernel("paged_attention", 0);
    }

    Tensor run(Tensor packed, KvLayer cache, Tensor positions, Tensor table, Rope rope, Tensor counters) {
      int units = (int) packed.size(0) * shape.heads / shape.blockHeads;
      var out = torch.empty(new long[] {packed.size(0), (long) shape.heads * shape.headWidth}, packed.options(), null);
      if (units == 0) return out;
      int most = Math.toIntExact(Math.ceilDiv(table.size(1) * shape.pageTokens, SPLIT_TOKENS));
      int atOnce = CudaModule.multiprocessors() * THREADS_A_MULTIPROCESSOR / shape.threads();
      int splits = Math.clamp(atOnce / units, 1, most);
      var partial = torch.empty(new long[] {splits == 1 ? 0 : packed.size(0) * shape.heads * splits * (shape.headWidth + 2L)},
          Device.CUDA.options(Dtype.F32), null);
      kernel.launchEarly(units * splits, shape.threads(), CudaModule.argument(packed), CudaModule.argument(out),
          CudaModule.argument(cache.keys()),
          CudaModule.argument(cache.values()), CudaModule.argument(positions), CudaModule.argument(table), table.stride(0),
          CudaModule.argument(rope.cosine()), CudaModule.argument(rope.sine()), CudaModule.argument(partial),
          CudaModule.argument(counters), splits);
      return out;
    }
  }
}
