package dev.walsh.model;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.UserError;
import dev.walsh.kernels.hla.HlaState;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * The sums that linear attention remembers sequences by: as many bytes for the longest as for the shortest. Memory is taken once, in the
 * dtype of sums. Which sequence a row is of is known to the host alone, which goes from row to row.
 */
public final class RecurrentState implements DecodeState {
  private final int context;
  private final Device device;
  private final Dtype dtype;
  private final List<HlaAttention> layers;
  // Of each place, of each layer.
  private final List<List<HlaState>> states = new ArrayList<>();
  private final BitSet taken = new BitSet();
  private final int[] lengths;

  private RecurrentState(Gpt model, List<HlaAttention> layers, int places) {
    context = model.config().context();
    device = model.device();
    dtype = model.dtype();
    this.layers = layers;
    lengths = new int[places];
    for (int i = 0; i < places; i++) states.add(layers.stream().map(HlaAttention::start).toList());
  }

  /**
   * Takes the memory of states.
   *
   * @param places the most sequences
   * @param available bytes that there are for it
   * @throws UserError where that is less than it needs
   */
  static RecurrentState of(Gpt model, int places, long available) {
    var layers = IntStream.range(0, model.config().layers()).mapToObj(i -> (HlaAttention) model.attention(i)).toList();
    long needed = places * layers.stream().mapToLong(HlaAttention::stateBytes).sum();
    if (needed > available) {
      throw new UserError(String.format(Locale.ROOT,
          "The states of %,d sequences need %,d bytes, and %,d are available; ask for fewer sequences at once", places, needed, available));
    }
    return new RecurrentState(model, layers, places);
  }

  /** The bytes that a model remembers one sequence by, in float32; 0 where its attention is softmax. */
  public static long bytes(ModelConfig model) {
    if (model.attention() instanceof AttentionKind.Softmax) return 0;
    var spec = HlaAttention.spec(model);
    return (long) model.layers() * spec.heads() * spec.stateBytes();
  }

  @Override
  public int open() {
    int place = taken.nextClearBit(0);
    if (place >= lengths.length) return -1;
    taken.set(place);
    return place;
  }

  @Override
  public void release(int place) {
    if (!taken.get(place)) throw new IllegalStateException("no sequence is at " + place);
    taken.clear(place);
    lengths[place] = 0;
    states.get(place).forEach(HlaState::clear);
  }

  @Override
  public boolean reserve(int place, int length) {
    if (length > context) throw new IllegalArgumentException(length + " tokens exceed the context of " + context);
    return true;
  }

  @Override
  public boolean couldHold(int length) {
    return length <= context;
  }

  @Override
  public Pass extend(List<Span> spans) {
    var starts = new int[spans.size()];
    for (int i = 0; i < starts.length; i++) {
      var span = spans.get(i);
      starts[i] = lengths[span.place()];
      if (!reserve(span.place(), starts[i] + span.tokens())) throw new IllegalStateException("there is no room for " + span);
      lengths[span.place()] += span.tokens();
    }
    var positions = onDevice(IntStream.range(0, starts.length).boxed()
        .flatMapToLong(i -> LongStream.range(starts[i], starts[i] + spans.get(i).tokens())).toArray());
    return (layer, packed) -> {
      var attention = layers.get(layer);
      var heads = attention.heads(packed, positions);
      var out = new TensorVector();
      long first = 0;
      for (var span : spans) {
        out.push_back(attention.proceed(heads, first, span.tokens(), states.get(span.place()).get(layer)));
        first += span.tokens();
      }
      return torch.cat(out, 0);
    };
  }

  private Tensor onDevice(long... values) {
    return Memory.tensor(values, values.length).to(device.options(Dtype.I64), false, false, null);
  }

  @Override
  public int length(int place) {
    return lengths[place];
  }

  @Override
  public int places() {
    return lengths.length;
  }

  /** The host looks up the state of each row, so that a graph would go on with the sequences that it was made of. */
  @Override
  public boolean hasFixedRows() {
    return false;
  }

  @Override
  public Rows rows() {
    return new HostRows();
  }

  @Override
  public long bytes() {
    return states.stream().mapToLong(RecurrentState::bytes).sum();
  }

  @Override
  public long bytesInUse() {
    return taken.stream().mapToLong(place -> bytes(states.get(place))).sum();
  }

  private static long bytes(List<HlaState> ofPlace) {
    return ofPlace.stream().mapToLong(HlaState::bytes).sum();
  }

  @Override
  public void close() {
    states.forEach(ofPlace -> ofPlace.forEach(HlaState::close));
  }

  /** Rows that the host finds the states of. */
  private final class HostRows implements Rows {
    private static final int NOBODY = -1;

    private final int[] placeOf = new int[lengths.length];
    // (rows) int64
    private final Tensor positions;

    HostRows() {
      Arrays.fill(placeOf, NOBODY);
      try (var scope = Scope.withoutGradients()) {
        positions = scope.keep(torch.zeros(new long[] {lengths.length}, device.options(Dtype.I64)));
      }
    }

    @Override
    public void enter(int row, int place) {
      placeOf[row] = place;
      set(row, lengths[place]);
    }

    @Override
    public void move(int from, int to) {
      placeOf[to] = placeOf[from];
      try (var scope = Scope.withoutGradients()) {
        positions.narrow(0, to, 1).copy_(positions.narrow(0, from, 1));
      }
      leave(from);
    }

    @Override
    public void leave(int row) {
      placeOf[row] = NOBODY;
      set(row, 0);
    }

    private void set(int row, long position) {
      try (var scope = Scope.withoutGradients()) {
        positions.narrow(0, row, 1).fill_(new Scalar(position));
      }
    }

    @Override
    public Pass pass(int rows) {
      var at = positions(rows);
      return (layer, packed) -> {
        var attention = layers.get(layer);
        var heads = attention.heads(packed, at);
        var out = new TensorVector();
        for (int row = 0; row < rows; row++) {
          out.push_back(placeOf[row] == NOBODY
              ? torch.zeros(new long[] {1, packed.size(1) / 3}, device.options(dtype))
              : attention.proceed(heads, row, 1, states.get(placeOf[row]).get(layer)));
        }
        return torch.cat(out, 0);
      };
    }

    @Override
    public Tensor positions(int rows) {
      return positions.narrow(0, 0, rows);
    }

    @Override
    public void advance(int rows) {
      for (int row = 0; row < rows; row++) {
        if (placeOf[row] != NOBODY) positions.narrow(0, row, 1).add_(new Scalar(1));
      }
    }

    @Override
    public void close() {
      positions.close();
    }
  }
}
