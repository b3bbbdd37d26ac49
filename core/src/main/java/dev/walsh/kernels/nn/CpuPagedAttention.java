package dev.walsh.kernels.nn;

import dev.walsh.kernels.wht.RowPool;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * {@link PagedAttention} on the CPU in bf16 and float32, in the Vector API: each row of the cache is read once, where it lies, and all
 * arithmetic is float32. What it needs to write on, it keeps for the next call.
 */
final class CpuPagedAttention {
  private static final VectorSpecies<Float> FLOATS = Bf16Lanes.FLOATS;
  private static final int LANES = FLOATS.length();
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();
  private static final ThreadLocal<CpuPagedAttention> MINE = ThreadLocal.withInitial(CpuPagedAttention::new);

  private float[] query = {};
  private float[] key = {};
  private float[] scores = {};
  private float[] sums = {};
  private float[] angles = {};

  private CpuPagedAttention() {}

  static boolean covers(Tensor packed) {
    if (!packed.is_cpu()) return false;
    var dtype = Dtype.of(packed);
    return dtype == Dtype.BF16 || dtype == Dtype.F32;
  }

  /** As {@link PagedAttention#apply}. */
  static Tensor apply(Tensor packed, KvLayer cache, Tensor positions, Tensor table, Rope rope) {
    int heads = (int) cache.keys().size(2);
    var out = torch.empty(new long[] {packed.size(0), packed.size(1) / 3}, packed.options(), null);
    if (packed.size(0) == 0) return out;
    var call = new Call(Dtype.of(packed) == Dtype.BF16, heads, (int) cache.keys().size(3), cache.pageTokens(), Memory.of(packed),
        Memory.of(out), Memory.of(cache.keys()), Memory.of(cache.values()), longs(positions), longs(table), (int) table.size(1),
        Memory.of(rope.cosine()), Memory.of(rope.sine()));
    long tokens = 0;
    for (long position : call.positions) tokens += position + 1;
    long rows = packed.size(0) * heads;
    long bytes = 2 * tokens * heads * call.head * packed.element_size();
    RowPool.of(Device.threads()).run(rows, bytes / rows, (_, from, to) -> MINE.get().run(call, (int) from, (int) to));
    return out;
  }

  private static long[] longs(Tensor t) {
    return Memory.of(t.contiguous()).toArray(ValueLayout.JAVA_LONG);
  }

  /** One call, as all threads see it; {@code half} says whether elements are bf16. */
  private record Call(boolean half, int heads, int head, int pageTokens, MemorySegment packed, MemorySegment out, MemorySegment keys,
      MemorySegment values, long[] positions, long[] table, int tablePages, MemorySegment cosine, MemorySegment sine) {
    long slot(int sequence, int token) {
      return table[sequence * tablePages + token / pageTokens] * pageTokens + token % pageTokens;
    }

    int size() {
      return half ? Short.BYTES : Float.BYTES;
    }
  }

  /** Heads {@code from} to {@code to} of all sequences, counted through. */
  private void run(Call call, int from, int to) {
    for (int row = from; row < to;) {
      int sequence = row / call.heads;
      int end = Math.min(to, (sequence + 1) * call.heads);
      attend(call, sequence, row % call.heads, end - row);
      row = end;
    }
  }

  /** {@code count} neighbouring heads of one sequence, whose channels lie side by side in every row. */
  private void attend(Call call, int sequence, int first, int count) {
    int width = call.heads * call.head;
    int channels = count * call.head;
    int position = (int) call.positions[sequence];
    int tokens = position + 1;
    reserve(channels, count * tokens, call.head);
    long row = 3L * width * sequence + (long) first * call.head;
    long offset = (long) first * call.head;
    load(call.half, call.cosine, (long) position * call.head / 2, angles, 0, call.head / 2);
    load(call.half, call.sine, (long) position * call.head / 2, angles, call.head / 2, call.head / 2);
    load(call.half, call.packed, row, query, 0, channels);
    load(call.half, call.packed, row + width, key, 0, channels);
    float scale = (float) (1 / Math.sqrt(call.head));
    rotate(query, count, call.head, scale);
    rotate(key, count, call.head, 1);
    long slot = call.slot(sequence, position) * width + offset;
    store(call.half, key, call.keys, slot, channels);
    MemorySegment.copy(call.packed, (row + 2L * width) * call.size(), call.values, slot * call.size(), (long) channels * call.size());

    for (int t = 0; t < tokens; t++) {
      long at = call.slot(sequence, t) * width + offset;
      for (int h = 0; h < count; h++) {
        scores[h * tokens + t] = dot(call.half, call.keys, at + (long) h * call.head, query, h * call.head, call.head);
      }
    }
    for (int h = 0; h < count; h++) softmax(scores, h * tokens, tokens);
    Arrays.fill(sums, 0, channels, 0);
    for (int t = 0; t < tokens; t++) {
      long at = call.slot(sequence, t) * width + offset;
      for (int h = 0; h < count; h++) {
        add(call.half, scores[h * tokens + t], call.values, at + (long) h * call.head, sums, h * call.head, call.head);
      }
    }
    store(call.half, sums, call.out, (long) sequence * width + offset, channels);
  }

  private void reserve(int channels, int weights, int angle) {
    if (query.length < channels) {
      query = new float[channels];
      key = new float[channels];
      sums = new float[channels];
    }
    if (angles.length < angle) angles = new float[angle];
    if (scores.length < weights) scores = new float[Math.max(weights, 2 * scores.length)];
  }

  private void rotate(float[] x, int heads, int head, float scale) {
    int half = head / 2;
    for (int h = 0; h < heads; h++) {
      for (int i = h * head, k = 0; k < half; i++, k++) {
        float a = x[i];
        float b = x[i + half];
        x[i] = (a * angles[k] - b * angles[half + k]) * scale;
        x[i + half] = (a * angles[half + k] + b * angles[k]) * scale;
      }
    }
  }

  /** Scores to weights whose sum is 1. */
  private static void softmax(float[] x, int from, int n) {
    int whole = from + FLOATS.loopBound(n);
    int end = from + n;
    float greatest = Float.NEGATIVE_INFINITY;
    for (int i = from; i < end; i++) greatest = Math.max(greatest, x[i]);
    float sum = 0;
    int i = from;
    for (; i < whole; i += LANES) {
      var e = FloatVector.fromArray(FLOATS, x, i).sub(greatest).lanewise(VectorOperators.EXP);
      e.intoArray(x, i);
      sum += e.reduceLanes(VectorOperators.ADD);
    }
    for (; i < end; i++) sum += x[i] = (float) Math.exp(x[i] - greatest);
    float factor = 1 / sum;
    for (i = from; i < end; i++) x[i] *= factor;
  }

  private static float dot(boolean half, MemorySegment memory, long at, float[] with, int offset, int n) {
    var sum = FloatVector.zero(FLOATS);
    int i = 0;
    for (int whole = FLOATS.loopBound(n); i < whole; i += LANES) {
      sum = vector(half, memory, at + i).fma(FloatVector.fromArray(FLOATS, with, offset + i), sum);
    }
    float total = sum.reduceLanes(VectorOperators.ADD);
    for (; i < n; i++) total += element(half, memory, at + i) * with[offset + i];
    return total;
  }

  private static void add(boolean half, float weight, MemorySegment memory, long at, float[] to, int offset, int n) {
    var factor = FloatVector.broadcast(FLOATS, weight);
    int i = 0;
    for (int whole = FLOATS.loopBound(n); i < whole; i += LANES) {
      vector(half, memory, at + i).fma(factor, FloatVector.fromArray(FLOATS, to, offset + i)).intoArray(to, offset + i);
    }
    for (; i < n; i++) to[offset + i] += weight * element(half, memory, at + i);
  }

  private static void load(boolean half, MemorySegment memory, long at, float[] to, int offset, int n) {
    int i = 0;
    for (int whole = FLOATS.loopBound(n); i < whole; i += LANES) vector(half, memory, at + i).intoArray(to, offset + i);
    for (; i < n; i++) to[offset + i] = element(half, memory, at + i);
  }

  private static void store(boolean half, float[] from, MemorySegment memory, long at, int n) {
    for (int i = 0; i < n; i++) {
      if (half) {
        memory.setAtIndex(ValueLayout.JAVA_SHORT, at + i, Bf16Lanes.narrow(from[i]));
      } else {
        memory.setAtIndex(ValueLayout.JAVA_FLOAT, at + i, from[i]);
      }
    }
  }

  private static FloatVector vector(boolean half, MemorySegment memory, long at) {
    return half ? Bf16Lanes.load(memory, at) : FloatVector.fromMemorySegment(FLOATS, memory, at * Float.BYTES, ORDER);
  }

  private static float element(boolean half, MemorySegment memory, long at) {
    return half
        ? Bf16Lanes.widen(memory.getAtIndex(ValueLayout.JAVA_SHORT, at))
        : memory.getAtIndex(ValueLayout.JAVA_FLOAT, at);
  }
}
