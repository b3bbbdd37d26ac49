package dev.walsh.config;

/**
 * The recipe for a model where the user gives none. Sizes from 124M on follow the paper (arXiv 2603.08343, Table 2): 0.25M tokens a step, 0.5M
 * from width 1536 on, AdamW (0.9, 0.95), weight decay 0.1, clip 1. Smaller models take small steps, so that minutes are enough of them.
 */
public final class Recipe {
  /** Tokens a parameter that a model of a given size makes the best of (arXiv 2203.15556). */
  private static final int TOKENS_PER_PARAMETER = 20;
  private static final int MOST_EPOCHS = 10;
  private static final int SMALL_WIDTH = 384;
  private static final int LARGE_WIDTH = 1536;
  private static final int CPU_PASS_TOKENS = 2048;
  private static final int GPU_PASS_TOKENS = 32_768;

  private Recipe() {}

  /** @param cpu whether a pass must stay small, as caches and memory bandwidth of a CPU want it */
  public static TrainConfig of(ModelConfig model, long tokens, boolean cpu) {
    int length = model.context();
    int sequences = Math.max(1, stepTokens(model.width()) / length);
    long steps = Math.ceilDiv(tokens, sequences * length);
    return new TrainConfig(tokens, sequences * length, microBatch(model, sequences, length, cpu), length, learningRate(model.width()), 0.1,
        warmup(steps), 0.9, 0.95, 0.1, 1, 0);
  }

  /** How long to train where nobody says: twenty tokens a parameter, but no text more than ten times. */
  public static long tokens(long parameters, long trainTokens) {
    return Math.min(TOKENS_PER_PARAMETER * parameters, MOST_EPOCHS * trainTokens);
  }

  /** The number of sequences a pass takes, of a step of {@code sequences}, each of {@code length} tokens. */
  public static int microBatch(ModelConfig model, int sequences, int length, boolean cpu) {
    int tokens = cpu ? CPU_PASS_TOKENS : GPU_PASS_TOKENS * 768 / Math.max(768, model.width());
    return largestDivisor(sequences, Math.max(1, tokens / length));
  }

  /** The number of sequences a pass takes, when as many as {@code most} would be good and {@code sequences} are needed. */
  public static int largestDivisor(int sequences, int most) {
    for (int n = Math.min(sequences, most);; n--) {
      if (sequences % n == 0) return n;
    }
  }

  private static int stepTokens(int width) {
    if (width <= SMALL_WIDTH) return 2048;
    return width < LARGE_WIDTH ? 1 << 18 : 1 << 19;
  }

  /**
   * The paper's 6e-4 at width 768; above it in inverse proportion to the width, below with its root. Of the nano model, this is the rate that
   * is best for dense, measured over 0.3 to 3.6e-3: the others bear higher ones, so a higher default would flatter them.
   */
  private static double learningRate(int width) {
    return 6e-4 * (width < 768 ? Math.sqrt(768.0 / width) : 768.0 / width);
  }

  /** The share of steps that warm up: 200, but no more than a fifth, which is what dense wants in a short run, and no less than 2%. */
  public static double warmup(long steps) {
    return Math.clamp(200.0 / steps, 0.02, 0.2);
  }
}
