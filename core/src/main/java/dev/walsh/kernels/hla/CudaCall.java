package dev.walsh.kernels.hla;

import dev.walsh.kernels.hla.CudaKernels.Carried;
import dev.walsh.kernels.hla.CudaKernels.Columns;
import dev.walsh.kernels.hla.CudaKernels.Cut;
import dev.walsh.kernels.hla.CudaKernels.Features;
import dev.walsh.kernels.hla.CudaKernels.Sums;
import dev.walsh.kernels.hla.CudaShape.Sight;
import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * One use of the kernels, with its backward pass. The sums of chunks, and what each chunk finds of them, lie in memory for some heads at a
 * time, and backward makes them again:
 *
 * <pre>
 * S = Φ(K)·[V, 1]     O = Φ(Q)ᵀ·S     T = Φ(Q)·[dY, w]     dQ: pull(Q, S, [dY, w])     dK: pull(K, T, [V, 1])     dV = Φ(K)ᵀ·T
 * </pre>
 *
 * with dY and w the gradients of sums and weights.
 *
 * @param values (B,H,N,D), {@linkplain CudaKernels#fetchable fetchable}
 * @param decay (G,chunks), or null for ones
 * @param carried the state before the first token, and after the last, where no gradient is wanted; or null
 */
record CudaCall(CudaKernels kernels, CudaShape shape, Features q, Features k, Tensor values, @Nullable Tensor decay,
    @Nullable Carried carried, Cut cut) {
  /** For all chunks of the heads at work; enough of these to fill a GPU. */
  private static final long MOST_STATE_BYTES = 1L << 30;
  /** A sum in float32, and in bf16 what is read of it. */
  private static final long ENTRY_BYTES = 6;
  /** So many a multiprocessor are busy enough when each sweeps over all chunks of its sums. */
  private static final long SWEEPING_BLOCKS = 2;

  /** -> (B,H,N,D) in bf16, divided by the sums of weights; the heads lie side by side within a token. */
  Tensor apply() {
    Tensor out;
    Tensor weights;
    try (var scope = Scope.withoutGradients()) {
      out = scope.escape(CudaKernels.headsInTokens(values));
      weights = scope.escape(floats(groups(), values.size(2)));
      var columns = new Columns(values, null, 0);
      forEachBatch((from, count) -> kernels.read(q.groups(from, count), k.groups(from, count), columns.groups(from, count),
          ofKeys(from, count), out, weights.narrow(0, from, count), carried != null, cut));
    }
    var inputs = inputs();
    if (CustomGradient.isWanted(inputs.toArray(Tensor[]::new))) {
      CustomGradient.attach(inputs, List.of(out), given -> backward(given.getFirst(), out, weights));
    }
    return out;
  }

  private long groups() {
    return q.lead().size(0);
  }

  private List<Tensor> inputs() {
    var inputs = features();
    inputs.add(values);
    return inputs;
  }

  /** Of both sides. */
  private List<Tensor> features() {
    var features = new ArrayList<Tensor>();
    for (var side : List.of(q, k)) {
      features.add(side.lead());
      if (side.trail() != null) features.add(side.trail());
    }
    return features;
  }

  private List<@Nullable Tensor> backward(@Nullable Tensor given, Tensor out, Tensor weights) {
    if (given == null) return Arrays.asList(new Tensor[inputs().size()]);
    var upstream = new Columns(torch.empty(values.shape(), values.options(), null), torch.empty_like(weights), 0);
    kernels.upstream(CudaKernels.fetchable(given), out, weights, upstream);
    var gradients = new ArrayList<Tensor>();
    for (var of : features()) gradients.add(torch.empty_like(of));
    gradients.add(CudaKernels.headsInTokens(values));
    var columns = new Columns(values.contiguous(), null, 0);
    boolean isLone = q.trail() == null;
    var ofQ = new Features(gradients.getFirst(), isLone ? null : gradients.get(1));
    var ofK = new Features(gradients.get(isLone ? 1 : 2), isLone ? null : gradients.get(3));
    var ofV = gradients.getLast();
    forEachBatch((from, count) -> {
      var queries = q.groups(from, count);
      var keys = k.groups(from, count);
      var ofSums = upstream.groups(from, count);
      var summed = columns.groups(from, count);
      try (var scope = Scope.open()) {
        kernels.pull(shape.ofQueries(), queries, ofSums, keys, summed, ofKeys(from, count), ofQ.groups(from, count), cut);
      }
      var states = states(shape.ofKeys(), queries, ofSums, from, count);
      kernels.readBack(keys, queries, ofSums, states, ofV, cut);
      kernels.pull(shape.ofKeys(), keys, summed, queries, ofSums, states, ofK.groups(from, count), cut);
    });
    return List.copyOf(gradients);
  }

  /** S of some heads. */
  private @Nullable Sums ofKeys(long from, long count) {
    return states(shape.ofQueries(), k.groups(from, count), new Columns(values, null, from), from, count);
  }

  /** What chunks find of the sums that those in sight leave; null where there is no state. */
  private @Nullable Sums states(Sight sight, Features x, Columns columns, long from, long count) {
    if (!shape.states()) return null;
    long entries = shape.entries();
    long chunks = sight == Sight.ALL ? 1 : cut.chunks();
    try (var scope = Scope.open()) {
      var states = new Sums(scope.escape(torch.empty(new long[] {count, chunks, entries, shape.width()}, values.options(), null)),
          scope.escape(floats(count, chunks, entries)));
      var fading = decay == null ? null : decay.narrow(0, from, count);
      var before = carried == null ? null : carried.groups(from, count);
      if (sight != Sight.ALL && count * shape.blocksAChunk() >= SWEEPING_BLOCKS * CudaModule.multiprocessors()) {
        kernels.sweep(sight, x, columns, fading, states, before, cut);
        return states;
      }
      var sums = new Sums(floats(count, cut.chunks(), entries, shape.width()), floats(count, cut.chunks(), entries));
      kernels.accumulate(x, columns, sums, cut);
      kernels.scan(sight, sums, fading, states, before, cut);
      return states;
    }
  }

  private Tensor floats(long... sizes) {
    return torch.empty(sizes, values.options().dtype(new ScalarTypeOptional(Dtype.F32.scalarType())), null);
  }

  private void forEachBatch(Blocks.Visitor visitor) {
    long bytes = shape.states() ? ENTRY_BYTES * cut.chunks() * shape.entries() * (shape.width() + 1) : 1;
    long groups = groups();
    long most = Math.clamp(MOST_STATE_BYTES / bytes, 1, groups);
    // As even as can be.
    Blocks.forward(groups, Math.ceilDiv(groups, Math.ceilDiv(groups, most)), visitor);
  }
}
