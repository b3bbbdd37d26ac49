package dev.walsh.train;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.GradientHook;
import dev.walsh.tensor.Ranks;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import dev.walsh.tensor.Weights.Weight;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The gradients of a step on their way to their sum over all ranks. Each is taken as soon as backward has it and, in the last pass of the
 * step, put into a bucket with its neighbours; the sum of a full bucket over the ranks runs while backward goes on to the next.
 *
 * <p>Buckets are filled and begun in one order, the reverse of that in which the weights were made, so that the ranks agree on it and a run
 * repeats itself. All memory stays where it is and the host waits for nothing, so that a graph of the GPU can hold a step with its exchange.
 */
final class GradientExchange implements AutoCloseable {
  /** Large enough for the full rate of a link, small enough that most of the exchange is behind backward (arXiv 2006.15704, Section 3.2). */
  static final long BUCKET_BYTES = 25L << 20;

  private static final int ALIGNMENT = 16;

  private final Ranks ranks;
  private final int passes;
  private final List<Slot> slots;
  private final List<Bucket> buckets;
  private int pass;
  private int begun;
  private @Nullable RuntimeException failure;

  /**
   * @param passes of a step, on this rank
   * @param bucketBytes that a bucket holds at most, where it holds more than one gradient
   */
  GradientExchange(Weights weights, Ranks ranks, int passes, long bucketBytes) {
    this.ranks = ranks;
    this.passes = passes;
    var dtype = exchanged(weights);
    try (var scope = Scope.withoutGradients()) {
      buckets = buckets(weights, dtype, bucketBytes).stream().map(members -> new Bucket(members, dtype, weights.device(), scope)).toList();
    }
    slots = buckets.stream().flatMap(b -> b.slots.stream()).toList();
  }

  /**
   * The dtype in which gradients travel. On the GPU it is that of the values, which halves the bytes: NCCL adds as fast as the link delivers,
   * and one more rounding of a gradient that backward has rounded to bf16 is no loss. On the CPU it is that of the masters: Gloo adds bf16
   * element by element, more slowly than it sends float32.
   */
  private static Dtype exchanged(Weights weights) {
    return weights.device() == Device.CPU ? Dtype.of(weights.all().getFirst().master()) : weights.dtype();
  }

  private static List<List<Weight>> buckets(Weights weights, Dtype dtype, long bucketBytes) {
    var buckets = new ArrayList<List<Weight>>();
    long room = 0;
    for (var weight : weights.all().reversed()) {
      long bytes = weight.elements() * dtype.bytes();
      if (room < bytes || buckets.isEmpty()) {
        buckets.add(new ArrayList<>());
        room = bucketBytes;
      }
      buckets.getLast().add(weight);
      room -= bytes;
    }
    return buckets;
  }

  /** Begins a step, also where the one before was cut off by an exception. */
  void begin() {
    pass = 0;
    begun = 0;
    for (var bucket : buckets) {
      bucket.missing = bucket.slots.size();
      bucket.pending = null;
    }
  }

  /** Runs the backward of one pass and takes its gradients from the weights; after the step's last pass, {@link #gradients} are there. */
  void backward(Tensor loss) {
    try {
      loss.backward();
    } catch (RuntimeException e) {
      throw failure == null ? e : failure;
    }
    for (var slot : slots) slot.weight.value().mutable_grad().reset();
    if (++pass == passes) finish();
  }

  private void finish() {
    for (var bucket : buckets) {
      if (bucket.pending == null) throw new IllegalStateException("backward left no gradient for a weight among " + bucket.names());
      bucket.pending.await();
    }
  }

  /** The sums over the passes of a step and over all ranks, in the order of the weights; good until the next step's first pass. */
  List<Tensor> gradients() {
    return slots.reversed().stream().map(s -> s.gradient).toList();
  }

  /** Full buckets begin in their order, also where a later one is full first. */
  private void beginFull() {
    while (begun < buckets.size() && buckets.get(begun).missing == 0) {
      var bucket = buckets.get(begun++);
      try {
        bucket.pending = ranks.beginSum(bucket.gradients);
      } catch (RuntimeException e) {
        // On its way through libtorch an exception loses its type.
        failure = e;
        throw e;
      }
    }
  }

  @Override
  public void close() {
    for (var slot : slots) slot.close();
    for (var bucket : buckets) bucket.close();
  }

  /** Gradients that travel together. */
  private final class Bucket implements AutoCloseable {
    final List<Slot> slots = new ArrayList<>();
    final Tensor gradients;
    /** What several passes add up in, where the exchange itself is narrower; else {@link #gradients}. */
    final Tensor sums;
    int missing;
    Ranks.@Nullable Pending pending;

    Bucket(List<Weight> members, Dtype dtype, Device device, Scope scope) {
      long elements = members.stream().mapToLong(Bucket::room).sum();
      var wide = Dtype.of(members.getFirst().master());
      gradients = scope.keep(torch.zeros(new long[] {elements}, device.options(dtype)));
      sums = passes == 1 || dtype == wide ? gradients : scope.keep(torch.zeros(new long[] {elements}, device.options(wide)));
      long at = 0;
      for (var weight : members) {
        slots.add(new Slot(this, weight, scope.keep(part(gradients, at, weight)), scope.keep(part(sums, at, weight))));
        at += room(weight);
      }
    }

    /** Elements that a weight takes, so that the next one begins where wide loads can. */
    private static long room(Weight weight) {
      return Math.ceilDiv(weight.elements(), ALIGNMENT) * ALIGNMENT;
    }

    private static Tensor part(Tensor flat, long at, Weight weight) {
      return flat.narrow(0, at, weight.elements()).view(weight.master().shape());
    }

    List<String> names() {
      return slots.stream().map(s -> s.weight.name()).toList();
    }

    @Override
    public void close() {
      gradients.close();
      if (sums != gradients) sums.close();
    }
  }

  /** The place of one weight's gradient. */
  private final class Slot implements AutoCloseable {
    final Bucket bucket;
    final Weight weight;
    final Tensor gradient;
    final Tensor sum;
    final GradientHook hook;

    Slot(Bucket bucket, Weight weight, Tensor gradient, Tensor sum) {
      this.bucket = bucket;
      this.weight = weight;
      this.gradient = gradient;
      this.sum = sum;
      hook = GradientHook.on(weight.value(), this::take);
    }

    private void take(Tensor fresh) {
      if (pass == 0) {
        sum.copy_(fresh);
      } else {
        sum.add_(fresh);
      }
      if (pass < passes - 1) return;
      if (bucket.sums != bucket.gradients) gradient.copy_(sum);
      bucket.missing--;
      beginFull();
    }

    @Override
    public void close() {
      hook.close();
      gradient.close();
      sum.close();
    }
  }
}
