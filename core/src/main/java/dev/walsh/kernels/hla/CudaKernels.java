package dev.walsh.kernels.hla;

import dev.walsh.kernels.hla.CudaShape.Sight;
import dev.walsh.tensor.CudaModule;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** The kernels of one shape, each compiled when first asked for: the three products with the features of tokens, and what stands between. */
final class CudaKernels {
  /** The lengths of a call: N, a multiple of 8; C, a multiple of a block's tokens; and how many chunks that makes. */
  record Cut(long tokens, long chunk) {
    long chunks() {
      return Math.ceilDiv(tokens, chunk);
    }
  }

  /** One side's features: (G,lead,N), and (G,trail,N) unless there is but one factor. */
  record Features(Tensor lead, @Nullable Tensor trail) {
    Features groups(long from, long count) {
      return new Features(lead.narrow(0, from, count), trail == null ? null : trail.narrow(0, from, count));
    }
  }

  /**
   * What one side's features multiply, a row a token.
   *
   * @param values (B,H,N,D), {@linkplain #fetchable fetchable}, of which those of the groups from {@code first} on are meant, by their number
   *     among all B·H
   * @param weights of the groups that are meant, as one more column, (G,N) in float32; or null for ones
   */
  record Columns(Tensor values, @Nullable Tensor weights, long first) {
    Columns groups(long from, long count) {
      return new Columns(values, weights == null ? null : weights.narrow(0, from, count), first + from);
    }

    long heads() {
      return values.size(1);
    }

    /** The values that are meant, and those behind them, (…,N,D); only where all are contiguous. */
    private Tensor packed() {
      return values.view(-1, values.size(2), values.size(3)).slice(0, new LongOptional(first), new LongOptional(), 1);
    }
  }

  /** Sums of products of features and columns, (G,chunks,R,D), and of the last column, (G,chunks,R) in float32. */
  record Sums(Tensor values, Tensor counts) {}

  /** The sums that earlier tokens left, and these leave in their place: (G,R,D+1) float32, of a first factor of so many features. */
  record Carried(Tensor sums, long rank) {
    Carried groups(long from, long count) {
      return new Carried(sums.narrow(0, from, count), rank);
    }
  }

  /** Of the room of the transform. */
  static final List<String> SHARED_HEADERS = List.of("chain.cu", "cluster.cu");
  static final List<String> HEADERS = List.of("tensor_cores.cu", "sums.cu", "pull_shape.cu", "pull_pairs.cu", "projection.cu",
      "softplus.cu");
  private static final int WARP = 32;
  /** Elements of bf16 that one access moves. */
  private static final int VECTOR = 8;

  private final CudaShape shape;
  private final CudaModule.Kernel accumulate;
  private final CudaModule.Kernel read;
  private final Map<Sight, CudaModule.Kernel> scans = new EnumMap<>(Sight.class);
  private final Map<Sight, CudaModule.Kernel> sweeps = new EnumMap<>(Sight.class);
  private final Map<Sight, CudaModule.Kernel> pulls = new EnumMap<>(Sight.class);
  private CudaModule.@Nullable Kernel readBack;
  private CudaModule.@Nullable Kernel upstream;

  /** @throws dev.walsh.tensor.KernelUnavailable where the machine cannot compile them or the GPU cannot run them */
  CudaKernels(CudaShape shape) {
    this.shape = shape;
    accumulate = sized("accumulate", shape.accumulate());
    read = sized("read", shape.read(shape.ofQueries(), true));
  }

  /** What each chunk leaves; into = (G,chunks,R,D) float32. */
  void accumulate(Features x, Columns columns, Sums into, Cut cut) {
    long blocks = x.lead.size(0) * cut.chunks() * shape.blocksAChunk();
    accumulate.launch(Math.toIntExact(blocks), shape.threadsAdding(), CudaModule.argument(x.lead), CudaModule.argument(x.trail),
        CudaModule.argument(columns.values), CudaModule.argument(columns.weights), CudaModule.argument(into.values),
        CudaModule.argument(into.counts), cut.tokens, cut.chunk, cut.chunks(), columns.heads(), columns.first, columns.values.stride(0),
        columns.values.stride(1), columns.values.stride(2));
  }

  /**
   * What each chunk finds of the others' sums, in bf16; of all chunks at once where all are seen.
   *
   * @param decay (G,chunks) float32, or null
   * @param carried what chunks that see earlier ones find besides, or null
   */
  void scan(Sight sight, Sums sums, @Nullable Tensor decay, Sums into, @Nullable Carried carried, Cut cut) {
    long groups = sums.values.size(0);
    long pairs = groups * shape.entries() * (shape.width() + 1) / 2;
    CudaModule.Kernel kernel;
    synchronized (this) {
      kernel = scans.computeIfAbsent(sight, s -> compile("scan", shape.scan(s)).kernel("scan", 0));
    }
    kernel.launch(Math.toIntExact(Math.ceilDiv(pairs, CudaShape.SCAN_THREADS)), CudaShape.SCAN_THREADS, CudaModule.argument(sums.values),
        CudaModule.argument(sums.counts), CudaModule.argument(decay), CudaModule.argument(into.values), CudaModule.argument(into.counts),
        CudaModule.argument(carried == null ? null : carried.sums), carried == null ? 0 : carried.rank, cut.chunks(), groups);
  }

  /** As {@link #accumulate} and {@link #scan} in one, for attention that is causal and a GPU that so many heads fill. */
  void sweep(Sight sight, Features x, Columns columns, @Nullable Tensor decay, Sums into, @Nullable Carried carried, Cut cut) {
    CudaModule.Kernel kernel;
    synchronized (this) {
      kernel = sweeps.computeIfAbsent(sight, s -> sized("sweep", shape.sweep(s)));
    }
    long blocks = x.lead.size(0) * shape.blocksAChunk();
    kernel.launch(Math.toIntExact(blocks), shape.threadsAdding(), CudaModule.argument(x.lead), CudaModule.argument(x.trail),
        CudaModule.argument(columns.values), CudaModule.argument(columns.weights), CudaModule.argument(decay),
        CudaModule.argument(into.values), CudaModule.argument(into.counts), CudaModule.argument(carried == null ? null : carried.sums),
        carried == null ? 0 : carried.rank, cut.tokens, cut.chunk, cut.chunks(), columns.heads(), columns.first, columns.values.stride(0),
        columns.values.stride(1), columns.values.stride(2));
  }

  /**
   * The output of queries and the weights that it was divided by.
   *
   * @param out (B,H,N,D) like the columns, {@linkplain #fetchable fetchable}
   * @param weights (G,N)
   * @param isCarried whether the first chunk finds sums too
   */
  void read(Features x, Features others, Columns columns, @Nullable Sums states, Tensor out, Tensor weights, boolean isCarried, Cut cut) {
    launch(read, x, others, columns, states, out, weights, isCarried, cut);
  }

  /** What keys read, not divided by anything; out likewise. */
  void readBack(Features x, Features others, Columns columns, @Nullable Sums states, Tensor out, Cut cut) {
    CudaModule.Kernel kernel;
    synchronized (this) {
      if (readBack == null) readBack = sized("read", shape.read(shape.ofKeys(), false));
      kernel = readBack;
    }
    launch(kernel, x, others, columns, states, out, null, false, cut);
  }

  private void launch(CudaModule.Kernel kernel, Features x, Features others, Columns columns, @Nullable Sums states, Tensor out,
      @Nullable Tensor weights, boolean isCarried, Cut cut) {
    kernel.launch(blocks(x, cut), CudaShape.THREADS, CudaModule.argument(x.lead), CudaModule.argument(x.trail),
        CudaModule.argument(others.lead), CudaModule.argument(others.trail), CudaModule.argument(columns.values),
        CudaModule.argument(states == null ? null : states.values), CudaModule.argument(states == null ? null : states.counts),
        CudaModule.argument(out), CudaModule.argument(weights), isCarried ? 1 : 0, cut.tokens, cut.chunk, cut.chunks(), columns.heads(),
        columns.first, columns.values.stride(0), columns.values.stride(1), columns.values.stride(2), out.stride(0), out.stride(1),
        out.stride(2));
  }

  /** The gradients of one side's features; all columns contiguous. */
  void pull(Sight sight, Features x, Columns columns, Features others, Columns otherColumns, @Nullable Sums states, Features gradients,
      Cut cut) {
    CudaModule.Kernel kernel;
    synchronized (this) {
      kernel = pulls.computeIfAbsent(sight, s -> sized("pull", shape.pull(s)));
    }
    kernel.launch(blocks(x, cut) * shape.slices(), CudaShape.THREADS, CudaModule.argument(x.lead), CudaModule.argument(x.trail),
        CudaModule.argument(columns.packed()), CudaModule.argument(columns.weights), CudaModule.argument(others.lead),
        CudaModule.argument(others.trail), CudaModule.argument(otherColumns.packed()), CudaModule.argument(otherColumns.weights),
        CudaModule.argument(states == null ? null : states.values), CudaModule.argument(states == null ? null : states.counts),
        CudaModule.argument(gradients.lead), CudaModule.argument(gradients.trail), cut.tokens, cut.chunk, cut.chunks());
  }

  private int blocks(Features x, Cut cut) {
    return Math.toIntExact(x.lead.size(0) * Math.ceilDiv(cut.tokens, shape.block()));
  }

  /** The gradients of sums, contiguous, and of weights, from that of their quotient and it, (B,H,N,D), {@linkplain #fetchable fetchable}. */
  void upstream(Tensor ofOut, Tensor out, Tensor weights, Columns gradients) {
    CudaModule.Kernel kernel;
    synchronized (this) {
      if (upstream == null) upstream = compile("upstream", shape.upstream()).kernel("upstream", 0);
      kernel = upstream;
    }
    long rows = weights.numel();
    kernel.launch(Math.toIntExact(Math.ceilDiv(rows * WARP, CudaShape.SCAN_THREADS)), CudaShape.SCAN_THREADS, CudaModule.argument(ofOut),
        CudaModule.argument(out), CudaModule.argument(weights), CudaModule.argument(gradients.values),
        CudaModule.argument(gradients.weights), rows, out.size(2), out.size(1), ofOut.stride(0), ofOut.stride(1), ofOut.stride(2),
        out.stride(0), out.stride(1), out.stride(2));
  }

  /** x: (B,H,N,D), or a copy of it, whose rows have no gaps and can be fetched from memory {@value #VECTOR} elements at a time. */
  static Tensor fetchable(Tensor x) {
    boolean isFetchable = x.stride(3) == 1 && x.stride(0) % VECTOR == 0 && x.stride(1) % VECTOR == 0 && x.stride(2) % VECTOR == 0
        && x.storage_offset() % VECTOR == 0;
    return isFetchable ? x : packed(x);
  }

  /** The same without gaps, from an address that so many elements may be fetched from. */
  static Tensor packed(Tensor x) {
    var whole = x.contiguous();
    return whole.storage_offset() % VECTOR == 0 ? whole : whole.clone();
  }

  /** Memory for what is shaped like x, (B,H,N,D), in the order (B,N,H,D): that of the rows of tokens that heads are cut from. */
  static Tensor headsInTokens(Tensor x) {
    long token = x.size(1) * x.size(3);
    return torch.empty_strided(x.shape(), new long[] {x.size(2) * token, x.size(3), token, 1}, x.options());
  }

  /** A kernel whose text says how much shared memory it needs. */
  private static CudaModule.Kernel sized(String name, String[] defines) {
    var module = compile(name, defines);
    return module.kernel(name, module.constant(name + "Bytes"));
  }

  /** Compiles {@code name.cu}. */
  static CudaModule compile(String name, String... defines) {
    var headers = new HashMap<String, String>();
    for (var header : SHARED_HEADERS) headers.put(header, text("/dev/walsh/kernels/wht/" + header));
    for (var header : HEADERS) headers.put(header, text(header));
    return CudaModule.compile(name + ".cu", text(name + ".cu"), headers, Arrays.stream(defines).map(define -> "-D" + define).toList());
  }

  static String text(String name) {
    try (var in = CudaKernels.class.getResourceAsStream(name)) {
      if (in == null) throw new IllegalStateException("the jar lacks " + name);
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
