package dev.walsh.study.recall;

import dev.walsh.config.UserError;
import java.util.Comparator;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/**
 * Multi-query associative recall (Arora et al., arXiv 2312.04927): a text that first lists pairs of a key and its value, and later names each
 * of the keys once more, whereupon the model is to say its value. Keys of a text are all different, values are drawn independently, both from
 * halves of the vocabulary of their own; where no key stands there is a filler, and the asked-for values stand nowhere. A key's second place
 * is the likelier the nearer it is to the list, in inverse proportion to the distance.
 *
 * @param pairs of a text, each asked for once
 * @param length tokens of a text, at least four a pair
 * @param vocabulary tokens: the filler, then keys, then values
 */
public record AssociativeRecall(int pairs, int length, int vocabulary) {
  /** The least tokens that a pair takes: two of the list, and two that its key may come again at. */
  public static final int TOKENS_A_PAIR = 4;
  private static final int FILLER = 0;

  public AssociativeRecall {
    if (pairs < 1) throw new UserError("--keys is " + pairs + "; it must be positive");
    if (length < TOKENS_A_PAIR * pairs) {
      throw new UserError("--length " + length + " is too short for " + pairs + " keys; give at least " + TOKENS_A_PAIR * pairs);
    }
    if (pairs > keys(vocabulary)) {
      throw new UserError("--vocabulary " + vocabulary + " has " + Math.max(0, keys(vocabulary)) + " keys and the texts " + pairs
          + "; give at least " + 2 * (pairs + 1));
    }
  }

  private static int keys(int vocabulary) {
    return vocabulary / 2 - 1;
  }

  /**
   * Some texts, one after another.
   *
   * @param ids (texts · length): the tokens
   * @param asked (texts · pairs): where among the ids the model is asked
   * @param answers (texts · pairs): the values to be said there
   */
  public record Texts(long[] ids, long[] asked, long[] answers) {}

  /** Draws texts. */
  public Texts draw(int texts, RandomGenerator random) {
    var drawn = new Texts(new long[texts * length], new long[texts * pairs], new long[texts * pairs]);
    for (int i = 0; i < texts; i++) draw(i, drawn, random);
    return drawn;
  }

  private void draw(int text, Texts into, RandomGenerator random) {
    int start = text * length;
    int list = 2 * pairs;
    var keys = different(pairs, keys(vocabulary), random);
    var places = nearest((length - list) / 2, random);
    for (int i = 0; i < pairs; i++) {
      long key = FILLER + 1L + keys[i];
      long value = random.nextLong(vocabulary / 2, vocabulary);
      into.ids[start + 2 * i] = key;
      into.ids[start + 2 * i + 1] = value;
      int asked = start + list + 2 * places[i];
      into.ids[asked] = key;
      into.asked[text * pairs + i] = asked;
      into.answers[text * pairs + i] = value;
    }
  }

  /** Some of the numbers below a bound, all different. */
  private static int[] different(int count, int bound, RandomGenerator random) {
    var all = IntStream.range(0, bound).toArray();
    for (int i = 0; i < count; i++) {
      int other = random.nextInt(i, bound);
      int drawn = all[other];
      all[other] = all[i];
      all[i] = drawn;
    }
    return IntStream.range(0, count).map(i -> all[i]).toArray();
  }

  /** As many of the places as there are pairs, weighted by 1/distance: the first to arrive of exponential clocks of these rates. */
  private int[] nearest(int places, RandomGenerator random) {
    var arrivals = IntStream.range(0, places).mapToDouble(place -> random.nextExponential() * (place + 1)).toArray();
    var drawn = IntStream.range(0, places).boxed().sorted(Comparator.comparingDouble(place -> arrivals[place])).limit(pairs)
        .mapToInt(Integer::intValue).toArray();
    // Which key comes at which place is independent of where it was listed.
    return IntStream.of(different(pairs, pairs, random)).map(i -> drawn[i]).toArray();
  }
}
