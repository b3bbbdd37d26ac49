package dev.walsh.model;

import dev.walsh.config.AttentionKind;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/** What a model remembers whose layers differ: keys and values where attention is softmax, sums where it is linear, by the same places. */
final class MixedState implements DecodeState {
  private final KvCache cache;
  private final RecurrentState sums;
  private final boolean[] isSoftmax;

  private MixedState(Gpt model, KvCache cache, RecurrentState sums) {
    this.cache = cache;
    this.sums = sums;
    var config = model.config();
    isSoftmax = new boolean[config.layers()];
    IntStream.range(0, isSoftmax.length).forEach(i -> isSoftmax[i] = config.attention(i) instanceof AttentionKind.Softmax);
  }

  /** As {@link DecodeState#of}. */
  static MixedState of(Gpt model, int places, long tokens, long available) {
    var sums = RecurrentState.of(model, places, available);
    try {
      return new MixedState(model, KvCache.of(model, places, tokens, available - sums.bytes()), sums);
    } catch (RuntimeException error) {
      sums.close();
      throw error;
    }
  }

  private Pass both(Pass softmax, Pass linear) {
    return (layer, packed) -> (isSoftmax[layer] ? softmax : linear).attend(layer, packed);
  }

  /** Both take the first free place, so it is the same. */
  @Override
  public int open() {
    int place = cache.open();
    if (sums.open() != place) throw new IllegalStateException("the places of keys and of sums have gone apart");
    return place;
  }

  @Override
  public void release(int place) {
    cache.release(place);
    sums.release(place);
  }

  @Override
  public boolean reserve(int place, int length) {
    return cache.reserve(place, length) && sums.reserve(place, length);
  }

  @Override
  public boolean couldHold(int length) {
    return cache.couldHold(length) && sums.couldHold(length);
  }

  @Override
  public Pass extend(List<Span> spans) {
    return both(cache.extend(spans), sums.extend(spans));
  }

  @Override
  public void skip(int place, int tokens) {
    cache.skip(place, tokens);
    sums.skip(place, tokens);
  }

  @Override
  public int length(int place) {
    return cache.length(place);
  }

  @Override
  public int places() {
    return cache.places();
  }

  @Override
  public boolean hasFixedRows() {
    return cache.hasFixedRows() && sums.hasFixedRows();
  }

  @Override
  public Rows rows() {
    return new BothRows(cache.rows(), sums.rows());
  }

  @Override
  public long bytes() {
    return cache.bytes() + sums.bytes();
  }

  @Override
  public long bytesInUse() {
    return cache.bytesInUse() + sums.bytesInUse();
  }

  @Override
  public void close() {
    cache.close();
    sums.close();
  }

  /** The same rows of both. */
  private final class BothRows implements Rows {
    private final Rows ofCache;
    private final Rows ofSums;

    BothRows(Rows ofCache, Rows ofSums) {
      this.ofCache = ofCache;
      this.ofSums = ofSums;
    }

    @Override
    public void enter(int row, int place) {
      ofCache.enter(row, place);
      ofSums.enter(row, place);
    }

    @Override
    public void move(int from, int to) {
      ofCache.move(from, to);
      ofSums.move(from, to);
    }

    @Override
    public void leave(int row) {
      ofCache.leave(row);
      ofSums.leave(row);
    }

    @Override
    public Pass pass(int rows) {
      return both(ofCache.pass(rows), ofSums.pass(rows));
    }

    @Override
    public Tensor positions(int rows) {
      return ofCache.positions(rows);
    }

    @Override
    public void advance(int rows) {
      ofCache.advance(rows);
      ofSums.advance(rows);
    }

    @Override
    public void close() {
      ofCache.close();
      ofSums.close();
    }
  }
}
