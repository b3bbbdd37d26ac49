package dev.walsh.kernels.hla;

import dev.walsh.tensor.Scope;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;

/**
 * What a causal attention remembers of the tokens it has seen: as many bytes after a million as after one. It belongs to one stream of
 * sequences and one thread, and its tensors live until {@link #close}.
 */
public final class HlaState implements AutoCloseable {
  private final long sequences;
  private List<Tensor> sums;
  private List<Tensor> scales;
  private long position;

  /**
   * @param sequences B
   * @param sums (G,R,W) each: of values with the count, or of both apart
   * @param scales of the features that have one, (B,H) each
   */
  HlaState(long sequences, List<Tensor> sums, List<Tensor> scales) {
    this.sequences = sequences;
    this.sums = sums;
    this.scales = scales;
  }

  /**
   * The state of some of the sequences, which goes on in place, without gradients; in the innermost scope.
   *
   * @param first of them
   * @param tokens that they have seen; any number where nothing depends on positions
   */
  public HlaState part(long first, long count, long tokens) {
    var part = new HlaState(count, sums.stream().map(x -> part(x, first, count)).toList(),
        scales.stream().map(x -> part(x, first, count)).toList());
    part.position = tokens;
    return part;
  }

  private Tensor part(Tensor ofAll, long first, long count) {
    long each = ofAll.size(0) / sequences;
    return ofAll.narrow(0, first * each, count * each);
  }

  /** Lets two of the sequences change places. */
  public void exchange(long one, long other) {
    try (var scope = Scope.withoutGradients()) {
      for (var ofAll : Stream.concat(sums.stream(), scales.stream()).toList()) {
        var before = part(ofAll, one, 1).clone();
        part(ofAll, one, 1).copy_(part(ofAll, other, 1));
        part(ofAll, other, 1).copy_(before);
      }
    }
  }

  /** The number of tokens seen. */
  public long position() {
    return position;
  }

  /** The bytes that it takes. */
  public long bytes() {
    return sums.stream().mapToLong(Tensor::nbytes).sum() + scales.stream().mapToLong(Tensor::nbytes).sum();
  }

  /** Forgets all tokens, in place. */
  public void clear() {
    try (var scope = Scope.withoutGradients()) {
      sums.forEach(Tensor::zero_);
      scales.forEach(KeyScale::forget);
    }
    position = 0;
  }

  List<Tensor> sums() {
    return sums;
  }

  List<Tensor> scales() {
    return scales;
  }

  /** Takes over what further tokens left: in place where the sums are, so that it outlives the scope that those were in. */
  void advance(List<Tensor> sumsAfter, List<Tensor> scalesAfter, long tokens) {
    if (sumsAfter.getFirst() == sums.getFirst()) {
      for (int i = 0; i < scales.size(); i++) scales.get(i).copy_(scalesAfter.get(i));
    } else {
      sums = List.copyOf(sumsAfter);
      scales = List.copyOf(scalesAfter);
    }
    position += tokens;
  }

  @Override
  public void close() {
    sums.forEach(Tensor::close);
    scales.forEach(Tensor::close);
  }
}
