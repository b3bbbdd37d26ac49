package dev.walsh.model;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.UserError;
import dev.walsh.kernels.nn.ChunkAttention;
import dev.walsh.kernels.nn.ChunkAttention.Chunk;
import dev.walsh.kernels.nn.KvLayer;
import dev.walsh.kernels.nn.PagedAttention;
import dev.walsh.kernels.nn.Rope;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
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
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The keys and values of sequences, in pages of a fixed number of tokens that sequences take as they grow, so that unequal lengths waste less
 * than a page each. Memory is taken once, in the dtype of the model.
 */
public final class KvCache implements DecodeState {
  /** The tokens of a page. */
  public static final int PAGE_TOKENS = 16;

  private final ModelConfig config;
  private final Device device;
  private final Dtype dtype;
  private final Rope rope;
  // (L,2,pages,P,H,D) of the layers of softmax; the first page is that of rows without a sequence.
  private final Tensor memory;
  // By their number in the model, of which those of linear attention keep nothing here.
  private final Map<Integer, KvLayer> layers = new LinkedHashMap<>();
  private final PagePool pool;
  private final BitSet taken = new BitSet();
  private final int[] lengths;
  private final int[][] pages;

  /** @param pages of the memory, that of rows without a sequence not counted */
  private KvCache(Gpt model, int places, int pages) {
    config = model.config();
    device = model.device();
    dtype = model.dtype();
    rope = model.rope();
    lengths = new int[places];
    this.pages = new int[places][0];
    pool = new PagePool(pages);
    try (var scope = Scope.withoutGradients()) {
      long[] shape = {config.softmaxLayers(), 2, pages + 1L, PAGE_TOKENS, config.heads(), config.headWidth()};
      memory = scope.keep(torch.zeros(shape, device.options(dtype)));
      for (int i = 0; i < config.layers(); i++) {
        if (!(config.attention(i) instanceof AttentionKind.Softmax)) continue;
        var layer = memory.select(0, layers.size());
        layers.put(i, new KvLayer(scope.keep(layer.select(0, 0)), scope.keep(layer.select(0, 1))));
      }
    }
  }

  /**
   * Takes the memory of a cache.
   *
   * @param places the most sequences
   * @param tokens of all sequences together, each rounded up to whole pages; at least a context's
   * @param available bytes that there are for it
   * @throws UserError where that is less than it needs, or where no attention is softmax's
   */
  public static KvCache of(Gpt model, int places, long tokens, long available) {
    if (model.config().softmaxLayers() == 0) {
      throw new UserError("the model's attention is " + model.config().attention()
          + ", which keeps no keys and values; give a model with softmax attention");
    }
    long pages = Math.ceilDiv(Math.max(tokens, model.config().context()), PAGE_TOKENS);
    long needed = (pages + 1) * pageBytes(model.config(), model.dtype());
    if (needed > available || pages >= Integer.MAX_VALUE / PAGE_TOKENS) {
      throw new UserError(String.format(Locale.ROOT,
          "The cache of %,d tokens needs %,d bytes, and %,d are available; ask for fewer sequences at once or shorter ones",
          pages * PAGE_TOKENS, needed, available));
    }
    return new KvCache(model, places, (int) pages);
  }

  /** The bytes of a page in all layers. */
  static long pageBytes(ModelConfig config, Dtype dtype) {
    return 2L * config.softmaxLayers() * PAGE_TOKENS * config.width() * dtype.bytes();
  }

  /** The bytes that a token takes. */
  public static long tokenBytes(ModelConfig config, Dtype dtype) {
    return pageBytes(config, dtype) / PAGE_TOKENS;
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
    pool.giveBack(pages[place]);
    pages[place] = new int[0];
    lengths[place] = 0;
  }

  @Override
  public boolean reserve(int place, int length) {
    if (length > config.context()) throw new IllegalArgumentException(length + " tokens exceed the context of " + config.context());
    int more = Math.ceilDiv(length, PAGE_TOKENS) - pages[place].length;
    if (more > pool.free()) return false;
    if (more > 0) {
      int before = pages[place].length;
      pages[place] = Arrays.copyOf(pages[place], before + more);
      System.arraycopy(pool.take(more), 0, pages[place], before, more);
    }
    return true;
  }

  @Override
  public boolean couldHold(int length) {
    return Math.ceilDiv(length, PAGE_TOKENS) <= pool.size();
  }

  @Override
  public Pass extend(List<Span> spans) {
    var chunks = new ArrayList<Chunk>();
    for (var span : spans) {
      int place = span.place();
      int start = lengths[place];
      if (!reserve(place, start + span.tokens())) throw new IllegalStateException("no page is free for " + span);
      lengths[place] = start + span.tokens();
      chunks.add(new Chunk(start, span.tokens(), Arrays.stream(pages[place]).map(page -> page + 1).toArray()));
    }
    var attention = new ChunkAttention(chunks, PAGE_TOKENS, device, dtype);
    return (layer, packed) -> attention.apply(packed, rope, layer(layer));
  }

  @Override
  public void skip(int place, int tokens) {
    int length = lengths[place] + tokens;
    if (!reserve(place, length)) throw new IllegalStateException("no page is free for " + length + " tokens");
    lengths[place] = length;
  }

  private KvLayer layer(int number) {
    return Objects.requireNonNull(layers.get(number), () -> "layer " + number + " keeps no keys");
  }

  @Override
  public int length(int place) {
    return lengths[place];
  }

  @Override
  public int places() {
    return lengths.length;
  }

  @Override
  public Rows rows() {
    return new PagedRows();
  }

  @Override
  public long bytes() {
    return memory.nbytes();
  }

  @Override
  public long bytesInUse() {
    return (pool.size() - pool.free()) * pageBytes(config, dtype);
  }

  @Override
  public void close() {
    for (var layer : layers.values()) {
      layer.keys().close();
      layer.values().close();
    }
    memory.close();
  }

  /** Rows whose page tables lie on the device. */
  private final class PagedRows implements Rows {
    private static final int POSITION = 0;
    private static final int ACTIVE = 1;

    private final int tablePages = Math.ceilDiv(config.context(), PAGE_TOKENS);
    private final PagedAttention attention = new PagedAttention(rope, lengths.length, config.heads(), device);
    // (2,rows): the positions, and 1 where there is a sequence.
    private final Tensor counts;
    private final Tensor table;
    private final Upload upload = new Upload(device, 2 + tablePages);

    PagedRows() {
      try (var scope = Scope.withoutGradients()) {
        counts = scope.keep(torch.zeros(new long[] {2, lengths.length}, device.options(Dtype.I64)));
        table = scope.keep(torch.zeros(new long[] {lengths.length, tablePages}, device.options(Dtype.I64)));
      }
    }

    @Override
    public void enter(int row, int place) {
      var to = upload.memory();
      to.setAtIndex(ValueLayout.JAVA_LONG, POSITION, lengths[place]);
      to.setAtIndex(ValueLayout.JAVA_LONG, ACTIVE, 1);
      for (int i = 0; i < tablePages; i++) {
        to.setAtIndex(ValueLayout.JAVA_LONG, 2 + i, i < pages[place].length ? pages[place][i] + 1 : 0);
      }
      try (var scope = Scope.withoutGradients()) {
        upload.copy(0, counts.select(1, row));
        upload.copy(2, table.select(0, row));
      }
      upload.send();
    }

    @Override
    public void leave(int row) {
      try (var scope = Scope.withoutGradients()) {
        counts.select(1, row).zero_();
        table.select(0, row).zero_();
      }
    }

    @Override
    public void move(int from, int to) {
      try (var scope = Scope.withoutGradients()) {
        counts.select(1, to).copy_(counts.select(1, from));
        table.select(0, to).copy_(table.select(0, from));
      }
      leave(from);
    }

    @Override
    public Pass pass(int rows) {
      var at = positions(rows);
      var first = table.narrow(0, 0, rows);
      return (layer, packed) -> attention.apply(packed, layer(layer), at, first);
    }

    @Override
    public Tensor positions(int rows) {
      return counts.select(0, POSITION).narrow(0, 0, rows);
    }

    @Override
    public void advance(int rows) {
      positions(rows).add_(counts.select(0, ACTIVE).narrow(0, 0, rows), new Scalar(1));
    }

    @Override
    public void close() {
      attention.close();
      counts.close();
      table.close();
      upload.close();
    }
  }
}
