package dev.walsh.kernels.hla;

/**
 * What the kernels of the GPU are compiled for, and how they cut an attention into tiles: the contract of the {@code .cu} files.
 *
 * @param lead features of the first factor, a multiple of 16, and of 64 where it is more
 * @param trail products of the features of the other factors; 1 for a single factor
 * @param width D
 * @param causal whether a token sees itself and those before it alone
 * @param states whether tokens read a state; without, they meet all others in pairs
 * @param isShort whether a block of tokens has 64 of them, and not 128
 */
record CudaShape(int lead, int trail, int width, boolean causal, boolean states, boolean isShort) {
  /** Threads of a block that reads or pulls. */
  static final int THREADS = 128;
  static final int SCAN_THREADS = 256;
  private static final int WARP = 32;
  /** The rows and columns of a tile of a matrix product. */
  private static final int TILE = 16;
  private static final int SHORT_BLOCK = 64;
  /** The most rows of a state that are taken at a time, and the most that a block adds up. */
  private static final int MOST_TAKEN = 64;
  private static final int MOST_ADDED = 128;
  private static final int MOST_WIDTH = 128;
  private static final int MOST_FEATURES = 64;
  private static final int MOST_LONE_FEATURES = 256;

  /** Which tokens of the other side one sees. */
  enum Sight {
    ALL, EARLIER, LATER
  }

  /** Whether there are kernels for factors of such ranks. */
  static boolean covers(long lead, long trail, long width) {
    boolean fits = trail == 1 ? lead <= MOST_LONE_FEATURES : lead <= MOST_FEATURES && trail <= MOST_FEATURES;
    return fits && width % TILE == 0 && width <= MOST_WIDTH;
  }

  /** What a number of features of a first factor is filled up to a multiple of. */
  static long unit(long lead) {
    return lead <= MOST_FEATURES ? TILE : MOST_FEATURES;
  }

  /** R. */
  int entries() {
    return lead * trail;
  }

  /** The tokens of a block. */
  static int block(boolean isShort) {
    return isShort ? SHORT_BLOCK : 2 * SHORT_BLOCK;
  }

  int block() {
    return block(isShort);
  }

  private int pairs() {
    return causal || !states ? 1 : 0;
  }

  /** What queries see of keys. */
  Sight ofQueries() {
    return causal ? Sight.EARLIER : Sight.ALL;
  }

  /** What keys are seen by. */
  Sight ofKeys() {
    return causal ? Sight.LATER : Sight.ALL;
  }

  /** Rows of the state that a block adds up. */
  private int rowsAdded() {
    if (lead <= MOST_ADDED) return lead * greatestDivisor(trail, MOST_ADDED / lead);
    return lead % MOST_ADDED == 0 ? MOST_ADDED : MOST_ADDED / 2;
  }

  private int warpsDown() {
    int tiles = rowsAdded() / TILE;
    return tiles % 2 == 0 ? tiles / 2 : tiles;
  }

  private int warpsAcross() {
    return greatestDivisor(width / TILE, THREADS / WARP / warpsDown());
  }

  int threadsAdding() {
    return WARP * warpsDown() * warpsAcross();
  }

  /** The blocks that add up one chunk. */
  int blocksAChunk() {
    return entries() / rowsAdded();
  }

  private int slice() {
    return trail > 1 ? lead : Math.min(lead, MOST_TAKEN);
  }

  /** The blocks that pull for the same tokens. */
  int slices() {
    return lead / slice();
  }

  String[] accumulate() {
    return defines("ROWS=" + rowsAdded(), "WARPS_DOWN=" + warpsDown(), "WARPS_ACROSS=" + warpsAcross(), "STAGE=" + MOST_TAKEN);
  }

  String[] sweep(Sight sight) {
    return defines("SEEN=" + sight.ordinal(), "ROWS=" + rowsAdded(), "WARPS_DOWN=" + warpsDown(), "WARPS_ACROSS=" + warpsAcross(),
        "STAGE=" + MOST_TAKEN);
  }

  String[] scan(Sight sight) {
    return new String[] {"SEEN=" + sight.ordinal(), "ENTRIES=" + entries() * width, "R=" + entries(), "LEAD=" + lead,
        "THREADS=" + SCAN_THREADS};
  }

  String[] read(Sight sight, boolean normalised) {
    int rows = lead <= MOST_TAKEN ? lead * greatestDivisor(trail, MOST_TAKEN / lead) : MOST_TAKEN;
    return defines("SEEN=" + sight.ordinal(), "STATES=" + (states ? 1 : 0), "PAIRS=" + pairs(), "DOWN=" + block() / SHORT_BLOCK,
        "NORMALISED=" + (normalised ? 1 : 0), "TILE=" + rows);
  }

  String[] pull(Sight sight) {
    return defines("SEEN=" + sight.ordinal(), "STATES=" + (states ? 1 : 0), "PAIRS=" + pairs(), "DOWN=" + block() / SHORT_BLOCK,
        "SLICE=" + slice(), "TRAILS=" + greatestDivisor(trail, MOST_TAKEN / slice()));
  }

  String[] upstream() {
    return new String[] {"WIDTH=" + width, "THREADS=" + SCAN_THREADS};
  }

  private String[] defines(String... further) {
    var all = new String[further.length + 3];
    System.arraycopy(further, 0, all, 3, further.length);
    all[0] = "LEAD=" + lead;
    all[1] = "TRAIL=" + trail;
    all[2] = "WIDTH=" + width;
    return all;
  }

  private static int greatestDivisor(int of, int most) {
    for (int d = Math.min(of, most); d > 1; d--) {
      if (of % d == 0) return d;
    }
    return 1;
  }
}
