package dev.walsh.kernels.hla;

import dev.walsh.tensor.Dtype;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * By what a factor's features of keys are divided, as logarithms: the greatest feature so far, chunk by chunk. A state summed under the scale
 * of one chunk decays to that of the next.
 *
 * @param perToken (B,H,1,N), or (B,H,1,1) where all tokens share one
 * @param decay (B,H,chunks), not above 0
 * @param last the scale of the last chunk, (B,H)
 */
record KeyScale(Tensor perToken, Tensor decay, Tensor last) {
  // Below every logarithm, so that nothing was seen before the first key, yet finite, so that differences are numbers.
  private static final double LOWEST = -1e30;

  /**
   * @param logarithms (B,H,r,N), N at least 1
   * @param absent (B,1,N), true where a key takes no part, or null
   * @param chunk tokens that share a scale
   * @param before the scale of earlier tokens, (B,H), or null
   */
  static KeyScale of(Tensor logarithms, @Nullable Tensor absent, long chunk, @Nullable Tensor before) {
    long n = logarithms.size(3);
    long chunks = Math.ceilDiv(n, chunk);
    var greatest = logarithms.detach().amax(new long[] {2}, false);
    if (absent != null) greatest = greatest.masked_fill(absent, new Scalar(LOWEST));
    if (chunks == 1) return ofOne(greatest.amax(new long[] {2}, false), before);
    var running = greatest.cummax(2).get0();
    if (before != null) running = torch.maximum(running, before.unsqueeze(2));
    var scales = running.index_select(2, ends(n, chunk, chunks, running));
    var perToken = scales.repeat_interleave(chunk, new LongOptional(2), new LongOptional()).narrow(2, 0, n).unsqueeze(2);
    var first = before == null ? scales.narrow(2, 0, 1) : before.unsqueeze(2);
    var previous = torch.cat(new TensorVector(first, scales.narrow(2, 0, chunks - 1)), 2);
    return new KeyScale(perToken, previous.sub(scales), scales.select(2, chunks - 1));
  }

  /** What tokens of one chunk share, by the greatest of them, (B,H): as every step does. */
  private static KeyScale ofOne(Tensor greatest, @Nullable Tensor before) {
    var scale = before == null ? greatest : torch.maximum(greatest, before);
    var decay = before == null ? torch.zeros_like(scale) : before.sub(scale);
    return new KeyScale(scale.unsqueeze(2).unsqueeze(3), decay.unsqueeze(2), scale);
  }

  /** The last token of each chunk, (chunks). */
  private static Tensor ends(long n, long chunk, long chunks, Tensor like) {
    var options = like.options().dtype(new ScalarTypeOptional(Dtype.I64.scalarType()));
    var after = torch.arange(new Scalar(1), new Scalar(chunks + 1), options).mul_(new Scalar(chunk)).clamp_max_(new Scalar(n));
    return after.sub_(new Scalar(1));
  }

  /** The scale before any token: that of no key at all, (B,H). */
  static Tensor none(long batch, long heads, TensorOptions options) {
    return torch.full(new long[] {batch, heads}, new Scalar(LOWEST), options);
  }

  /** Makes a scale that of no key at all again, in place. */
  static void forget(Tensor scale) {
    scale.fill_(new Scalar(LOWEST));
  }
}
