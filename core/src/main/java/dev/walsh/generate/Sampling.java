package dev.walsh.generate;

import dev.walsh.config.UserError;
import dev.walsh.kernels.nn.TokenChoice;

/**
 * How the next token of a sequence is chosen; {@link TokenChoice} says what each number does.
 *
 * @param temperature that logits are divided by; 0 always takes the likeliest token
 * @param topK how many of the likeliest tokens may be chosen, 0 for all
 * @param topP the probability that the choice is made from, above 0; 1 for all of it
 * @param penalty of tokens that the sequence has already; 1 for none
 * @param seed of the choices, which depend on nothing else of their time and place: not on what other sequences there are
 */
public record Sampling(double temperature, int topK, double topP, double penalty, long seed) {
  /** Always the likeliest token. */
  public static final Sampling GREEDY = new Sampling(0, 0, 1, 1, 0);

  public Sampling {
    require(temperature >= 0 && temperature < Double.POSITIVE_INFINITY, "the temperature", temperature, "be finite and not negative");
    require(topK >= 0, "top-k", topK, "be positive, or 0 for all tokens");
    require(topP > 0 && topP <= 1, "top-p", topP, "lie above 0 and not above 1");
    require(penalty > 0 && penalty < Double.POSITIVE_INFINITY, "the repetition penalty", penalty, "be positive, or 1 for none");
  }

  private static void require(boolean holds, String name, Object value, String must) {
    if (!holds) throw new UserError(name + " is " + value + "; it must " + must);
  }

  /** The numbers that {@link TokenChoice} reads; sequences of one seed differ by their numbers. */
  long[] rules(long sequence) {
    return TokenChoice.rules(TokenChoice.key(seed, sequence), topK, temperature, topP, penalty);
  }
}
