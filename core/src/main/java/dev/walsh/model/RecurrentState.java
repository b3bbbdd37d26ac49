package dev.walsh.model;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.UserError;
import dev.walsh.kernels.hla.HlaCost;
import dev.walsh.kernels.hla.HlaSpec;
import dev.walsh.kernels.hla.HlaState;
import dev.walsh.kernels.nn.Rope;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Upload;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * The sums that linear attention remembers sequences by: as many bytes for the longest as for the shortest. Memory is taken once, in the
 * dtype of sums, a slot a place; a sequence that enters a row moves to the slot of that row, so that a step of the first rows is one call on
 * the first slots, where they are.
 */
public final class RecurrentState implements DecodeState {
  /** A layer of linear attention, and what it remembers of all slots. */
  private record Layer(HlaAttention attention, HlaState state) {}

  private final int longest;
  private final Device device;
  private final Dtype dtype;
  private final Rope rope;
  // By their number in the model, of which those of softmax attention are none of this state's.
  private final Map<Integer, Layer> layers = new LinkedHashMap<>();
  private final BitSet taken = new BitSet();
  private final int[] lengths;
  // Each the other's inverse.
  private final int[] slotOf;
  private final int[] placeAt;
  private boolean hasRows;

  private RecurrentState(Gpt model, int places) {
    longest = model.config().longest();
    device = model.device();
    dtype = model.dtype();
    rope = model.rope();
    lengths = new int[places];
    slotOf = IntStream.range(0, places).toArray();
    placeAt = slotOf.clone();
    for (int i = 0; i < model.config().layers(); i++) {
      if (model.attention(i) instanceof HlaAttention linear) layers.put(i, new Layer(linear, linear.start(places)));
    }
  }

  /**
   * Takes the memory of states.
   *
   * @param places the most sequences
   * @param available bytes that there are for it
   * @throws UserError where that is less than it needs
   */
  static RecurrentState of(Gpt model, int places, long available) {
    long needed = places * bytes(model.config());
    if (needed > available) {
      throw new UserError(String.format(Locale.ROOT,
          "The states of %,d sequences need %,d bytes, and %,d are available; ask for fewer sequences at once", places, needed, available));
    }
    return new RecurrentState(model, places);
  }

  /** The bytes that a model remembers one sequence by, in float32, whatever its length; 0 where its attention is softmax. */
  public static long bytes(ModelConfig model) {
    return specs(model).mapToLong(spec -> model.heads() * spec.stateBytes()).sum();
  }

  /** The operations by which a token is added to a model's sums and these are read; 0 where its attention is softmax. */
  public static double stepFlops(ModelConfig model) {
    return costs(model).mapToDouble(HlaCost::step).sum();
  }

  /** The operations of linear attention, but for its matrices, over a whole sequence in its cheapest form. */
  public static double sequenceFlops(ModelConfig model, int length) {
    return costs(model).mapToDouble(cost -> cost.forward(cost.choose(length), length)).sum();
  }

  private static Stream<HlaCost> costs(ModelConfig model) {
    return specs(model).map(HlaCost::new);
  }

  private static Stream<HlaSpec> specs(ModelConfig model) {
    return IntStream.range(0, model.layers()).mapToObj(model::attention).filter(kind -> !(kind instanceof AttentionKind.Softmax)).map(
        kind -> HlaAttention.spec(model, kind));
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
    try (var scope = Scope.withoutGradients()) {
      layers.values().forEach(layer -> layer.state.part(slotOf[place], 1, 0).clear());
    }
  }

  @Override
  public boolean reserve(int place, int length) {
    if (length > longest) throw new IllegalArgumentException(length + " tokens exceed the context of " + longest);
    return true;
  }

  @Override
  public boolean couldHold(int length) {
    return length <= longest;
  }

  @Override
  public Pass extend(List<Span> spans) {
    var runs = new ArrayList<SpanRun>();
    var positions = LongStream.builder();
    boolean mayJoin = hasFixedRows();
    for (var span : spans) {
      int start = lengths[span.place()];
      if (!reserve(span.place(), start + span.tokens())) throw new IllegalStateException("there is no room for " + span);
      lengths[span.place()] += span.tokens();
      LongStream.range(start, start + span.tokens()).forEach(positions);
      SpanRun.add(runs, span.tokens(), slotOf[span.place()], start, mayJoin);
    }
    var angles = rope.angles(onDevice(positions.build().toArray()));
    return (number, packed) -> {
      var layer = layer(number);
      var heads = layer.attention.heads(packed, angles);
      var outs = runs.stream().map(run -> {
        var state = layer.state.part(run.slot(), run.sequences(), run.position());
        return layer.attention.proceed(heads, run.first(), run.sequences(), run.tokens(), state);
      }).toArray(Tensor[]::new);
      return outs.length == 1 ? outs[0] : torch.cat(new TensorVector(outs), 0);
    };
  }

  private Layer layer(int number) {
    return Objects.requireNonNull(layers.get(number), () -> "layer " + number + " is none of linear attention");
  }

  private Tensor onDevice(long... values) {
    return Memory.tensor(values, values.length).to(device.options(Dtype.I64), false, false, null);
  }

  @Override
  public void skip(int place, int tokens) {
    int length = lengths[place] + tokens;
    if (!reserve(place, length)) throw new IllegalStateException("there is no room for " + length + " tokens");
    lengths[place] = length;
  }

  @Override
  public int length(int place) {
    return lengths[place];
  }

  @Override
  public int places() {
    return lengths.length;
  }

  /** Not where attention weighs by the position itself, which the host then counts, row by row. */
  @Override
  public boolean hasFixedRows() {
    return layers.values().stream().allMatch(layer -> layer.attention.stepsTogether());
  }

  /** @throws IllegalStateException while others are open, since a row's slot is one row's alone */
  @Override
  public Rows rows() {
    if (hasRows) throw new IllegalStateException("a state has rows once at a time");
    hasRows = true;
    return new SlotRows();
  }

  @Override
  public long bytes() {
    return layers.values().stream().mapToLong(layer -> layer.state.bytes()).sum();
  }

  @Override
  public long bytesInUse() {
    return bytes() / lengths.length * taken.cardinality();
  }

  @Override
  public void close() {
    layers.values().forEach(layer -> layer.state.close());
  }

  /** Rows whose sequences are at the slots of their own numbers. */
  private final class SlotRows implements Rows {
    private static final int NOBODY = -1;
    private static final int POSITION = 0;
    private static final int ACTIVE = 1;

    private final int[] placeOf = new int[lengths.length];
    // The host's copy of the positions, true as long as no graph counts them on: for rows that go one by one.
    private final int[] positionOf = new int[lengths.length];
    // (2,rows) int64: the positions, and 1 where there is a sequence.
    private final Tensor counts;
    private final Upload upload = new Upload(device, 2);

    SlotRows() {
      Arrays.fill(placeOf, NOBODY);
      try (var scope = Scope.withoutGradients()) {
        counts = scope.keep(torch.zeros(new long[] {2, lengths.length}, device.options(Dtype.I64)));
      }
    }

    @Override
    public void enter(int row, int place) {
      seat(row, place, lengths[place]);
      var to = upload.memory();
      to.setAtIndex(ValueLayout.JAVA_LONG, POSITION, lengths[place]);
      to.setAtIndex(ValueLayout.JAVA_LONG, ACTIVE, 1);
      try (var scope = Scope.withoutGradients()) {
        upload.copy(0, counts.select(1, row));
      }
      upload.send();
    }

    @Override
    public void move(int from, int to) {
      seat(to, placeOf[from], positionOf[from]);
      try (var scope = Scope.withoutGradients()) {
        counts.select(1, to).copy_(counts.select(1, from));
      }
      leave(from);
    }

    @Override
    public void leave(int row) {
      placeOf[row] = NOBODY;
      try (var scope = Scope.withoutGradients()) {
        counts.select(1, row).zero_();
      }
    }

    private void seat(int row, int place, int position) {
      placeOf[row] = place;
      positionOf[row] = position;
      settle(place, row);
    }

    /** Takes a sequence to a slot, whose place takes over its own. */
    private void settle(int place, int slot) {
      int before = slotOf[place];
      if (before == slot) return;
      layers.values().forEach(layer -> layer.state.exchange(before, slot));
      int other = placeAt[slot];
      slotOf[other] = before;
      placeAt[before] = other;
      slotOf[place] = slot;
      placeAt[slot] = place;
    }

    @Override
    public Pass pass(int rows) {
      var positions = positions(rows);
      var active = counts.select(0, ACTIVE).narrow(0, 0, rows);
      if (layers.values().stream().allMatch(layer -> layer.attention.isOneKernel(rows))) {
        return (number, packed) -> layer(number).attention.step(packed, positions, active, layer(number).state);
      }
      var angles = rope.angles(positions);
      var present = isKnownFull(rows) ? null : active.ne(new Scalar(0)).unsqueeze(1);
      return (number, packed) -> {
        var layer = layer(number);
        var heads = layer.attention.heads(packed, angles);
        return layer.attention.stepsTogether()
            ? layer.attention.step(heads, present, layer.state.part(0, rows, 0))
            : oneByOne(layer, heads, rows);
      };
    }

    /** Whether nothing need be masked, which the host may say only where it takes part in every step. */
    private boolean isKnownFull(int rows) {
      return device != Device.CUDA && IntStream.range(0, rows).noneMatch(row -> placeOf[row] == NOBODY);
    }

    /** Where attention weighs by the position itself, which differs from row to row. */
    private Tensor oneByOne(Layer layer, Rope.Heads heads, int rows) {
      var out = new TensorVector();
      for (int row = 0; row < rows; row++) {
        out.push_back(placeOf[row] == NOBODY
            ? torch.zeros(new long[] {1, heads.value().size(1) * heads.value().size(3)}, device.options(dtype))
            : layer.attention.proceed(heads, row, 1, 1, layer.state.part(row, 1, positionOf[row])));
      }
      return torch.cat(out, 0);
    }

    @Override
    public Tensor positions(int rows) {
      return counts.select(0, POSITION).narrow(0, 0, rows);
    }

    @Override
    public void advance(int rows) {
      positions(rows).add_(counts.select(0, ACTIVE).narrow(0, 0, rows), new Scalar(1));
      for (int row = 0; row < rows; row++) if (placeOf[row] != NOBODY) positionOf[row]++;
    }

    @Override
    public void close() {
      counts.close();
      upload.close();
      hasRows = false;
    }
  }
}
