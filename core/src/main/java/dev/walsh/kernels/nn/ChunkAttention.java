package dev.walsh.kernels.nn;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Causal attention of chunks of new tokens over all that their sequences hold, the chunks included, which it adds to a cache: one chunk a
 * sequence, of any lengths. Chunks of one length that begin their sequences are one call of libtorch's, without a look into the cache.
 */
public final class ChunkAttention {
  private final List<Group> groups = new ArrayList<>();
  private final Tensor positions;
  private final Tensor slots;

  /**
   * The new tokens of one sequence.
   *
   * @param start how many tokens came before them
   * @param count how many they are, at least 1
   * @param pages of the sequence in the cache, in order; at least enough for all its tokens
   */
  public record Chunk(int start, int count, int[] pages) {}

  /** Chunks of one length that begin their sequences; or one that does not, with the rows of its whole sequence and what it may see. */
  private record Group(long first, int sequences, int count, @Nullable Tensor rows, @Nullable Tensor mask) {}

  /** Prepares what all layers share, in the innermost scope. */
  public ChunkAttention(List<Chunk> chunks, int pageTokens, Device device, Dtype dtype) {
    int tokens = chunks.stream().mapToInt(Chunk::count).sum();
    var places = new long[tokens];
    var into = new long[tokens];
    int at = 0;
    for (int i = 0; i < chunks.size();) {
      var chunk = chunks.get(i);
      int same = 1;
      while (chunk.start == 0 && i + same < chunks.size() && chunks.get(i + same).start == 0
          && chunks.get(i + same).count == chunk.count) {
        same++;
      }
      groups.add(chunk.start == 0 ? new Group(at, same, chunk.count, null, null) : behind(chunk, at, pageTokens, device, dtype));
      for (int end = i + same; i < end; i++) {
        for (int t = 0; t < chunk.count; t++, at++) {
          places[at] = chunk.start + t;
          into[at] = slot(chunks.get(i).pages, chunk.start + t, pageTokens);
        }
      }
    }
    positions = upload(places, device);
    slots = upload(into, device);
  }

  private static Group behind(Chunk chunk, long first, int pageTokens, Device device, Dtype dtype) {
    int length = chunk.start + chunk.count;
    var rows = new long[length];
    for (int t = 0; t < length; t++) rows[t] = slot(chunk.pages, t, pageTokens);
    var mask = torch.full(new long[] {chunk.count, length}, new Scalar(Double.NEGATIVE_INFINITY), device.options(dtype));
    return new Group(first, 1, chunk.count, upload(rows, device), mask.triu_(chunk.start + 1));
  }

  private static long slot(int[] pages, int position, int pageTokens) {
    return (long) pages[position / pageTokens] * pageTokens + position % pageTokens;
  }

  private static Tensor upload(long[] values, Device device) {
    var t = Memory.tensor(values, values.length);
    return device == Device.CPU ? t : t.to(device.options(Dtype.I64), false, false, null);
  }

  /** packed: (N,3C), the chunks one behind another, nobody else's -> (N,C). */
  public Tensor apply(Tensor packed, Rope rope, KvLayer cache) {
    var heads = rope.append(packed, positions, slots, cache);
    var parts = new TensorVector();
    for (var group : groups) parts.push_back(attend(group, heads, cache));
    return groups.size() == 1 ? parts.get(0) : torch.cat(parts, 0);
  }

  /** -> (tokens of the group,C). */
  private static Tensor attend(Group group, Rope.Heads heads, KvLayer cache) {
    var q = part(heads.query(), group);
    var keys = group.rows;
    Tensor out;
    if (keys == null) {
      if (q.is_cuda()) AttentionBackend.choose(q, q, q);
      out = CausalAttention.scaledDotProduct(q, part(heads.key(), group), part(heads.value(), group));
    } else {
      var k = cache.rows(cache.keys()).index_select(0, keys).transpose(0, 1).unsqueeze(0);
      var v = cache.rows(cache.values()).index_select(0, keys).transpose(0, 1).unsqueeze(0);
      out = torch.scaled_dot_product_attention(q, k, v, new TensorOptional(group.mask), 0, false, new DoubleOptional(), false);
    }
    return out.transpose(1, 2).reshape((long) group.sequences * group.count, heads.query().size(1) * heads.query().size(2));
  }

  /** (N,H,D) -> (B,H,T,D) of a group. */
  private static Tensor part(Tensor heads, Group group) {
    return heads.narrow(0, group.first, (long) group.sequences * group.count)
        .view(group.sequences, group.count, heads.size(1), heads.size(2)).transpose(1, 2);
  }
}
