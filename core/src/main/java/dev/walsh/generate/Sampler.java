package dev.walsh.generate;

import dev.walsh.config.UserError;
import java.util.Arrays;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/**
 * The choice of the next token from a model's logits: by temperature, then among the k likeliest (top-k), then among the fewest of these
 * that hold the probability p (nucleus sampling, arXiv 1904.09751). The same seed makes the same choices.
 */
public final class Sampler {
  private final double temperature;
  private final int topK;
  private final double topP;
  private final RandomGenerator random;

  /**
   * @param temperature that logits are divided by; 0 always takes the likeliest token
   * @param topK how many of the likeliest tokens may be chosen, 0 for all
   * @param topP the probability that the choice is made from, above 0; 1 for all of it
   * @param seed of the choices
   */
  public Sampler(double temperature, int topK, double topP, long seed) {
    require(temperature >= 0 && temperature < Double.POSITIVE_INFINITY, "--temperature", temperature, "be finite and not negative");
    require(topK >= 0, "--top-k", topK, "be positive, or 0 for all tokens");
    require(topP > 0 && topP <= 1, "--top-p", topP, "lie above 0 and not above 1");
    this.temperature = temperature;
    this.topK = topK;
    this.topP = topP;
    random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
  }

  private static void require(boolean holds, String name, Object value, String must) {
    if (!holds) throw new UserError(name + " is " + value + "; it must " + must);
  }

  /**
   * Chooses a token.
   *
   * @param logits of the token ids; may go on with the padding of a vocabulary, and minus infinity forbids an id
   * @param vocabulary how many of them stand for tokens
   * @throws UserError where logits are not numbers
   */
  public int sample(float[] logits, int vocabulary) {
    int best = best(logits, vocabulary);
    if (temperature == 0) return best;
    boolean all = (topK == 0 || topK >= vocabulary) && topP == 1;
    var order = all ? null : descending(logits, vocabulary);
    int candidates = topK == 0 ? vocabulary : Math.min(topK, vocabulary);
    var weights = new double[candidates];
    double total = 0;
    for (int i = 0; i < candidates; i++) {
      // Never above 1, and 1 for the likeliest: the sum can neither overflow nor vanish.
      weights[i] = Math.exp(((double) logits[order == null ? i : order[i]] - logits[best]) / temperature);
      total += weights[i];
    }
    if (topP < 1) {
      double kept = 0;
      int nucleus = 0;
      for (; nucleus < candidates && kept < topP * total; nucleus++) kept += weights[nucleus];
      candidates = nucleus;
      total = kept;
    }
    int chosen = choose(weights, candidates, total);
    return order == null ? chosen : order[chosen];
  }

  /** The first of the largest logits. */
  private static int best(float[] logits, int vocabulary) {
    int best = 0;
    for (int id = 0; id < vocabulary; id++) {
      if (Float.isNaN(logits[id]) || logits[id] == Float.POSITIVE_INFINITY) throw notANumber();
      if (logits[id] > logits[best]) best = id;
    }
    if (logits[best] == Float.NEGATIVE_INFINITY) throw notANumber();
    return best;
  }

  private static UserError notANumber() {
    return new UserError("The model's logits are not finite numbers, as after a training that diverged; choose an earlier checkpoint");
  }

  /** The ids by falling logit, lower ids first among equals. */
  private static int[] descending(float[] logits, int vocabulary) {
    var keys = new long[vocabulary];
    for (int id = 0; id < vocabulary; id++) {
      // Adding 0 makes −0 equal to 0; flipping the other bits of negative floats orders all of them as integers.
      int bits = Float.floatToIntBits(logits[id] + 0f);
      int ascending = bits ^ (bits >> 31 & Integer.MAX_VALUE);
      keys[id] = (long) ~ascending << 32 | id;
    }
    Arrays.sort(keys);
    return Arrays.stream(keys).mapToInt(key -> (int) key).toArray();
  }

  private int choose(double[] weights, int candidates, double total) {
    double left = random.nextDouble() * total;
    int last = 0;
    for (int i = 0; i < candidates; i++) {
      if (weights[i] == 0) continue;
      last = i;
      left -= weights[i];
      if (left < 0) break;
    }
    return last;
  }
}
