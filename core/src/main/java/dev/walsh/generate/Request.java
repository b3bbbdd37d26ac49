package dev.walsh.generate;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.UserError;
import java.util.Locale;

/**
 * A text to be gone on with.
 *
 * @param prompt tokens, at least one
 * @param tokens how many to make at most
 * @param stop the token that ends the text, which counts as made; −1 for none
 * @param sampling how tokens are chosen
 * @param sequence tells texts of one seed apart: what is chosen depends on it, and not on what other texts there are
 */
public record Request(int[] prompt, int tokens, int stop, Sampling sampling, long sequence) {
  /** @throws UserError where a model cannot do it, with the reason */
  void check(ModelConfig model) {
    if (prompt.length == 0) throw new UserError("The prompt is empty; give at least one token, such as the one between documents");
    if (tokens < 1) throw new UserError("The number of tokens to make is " + tokens + "; it must be positive");
    if (prompt.length > model.longest()) {
      throw new UserError(String.format(Locale.ROOT, "The prompt has %,d tokens and the model sees %,d; shorten it to fewer than that",
          prompt.length, model.longest()));
    }
    for (int i = 0; i < prompt.length; i++) {
      if (prompt[i] < 0 || prompt[i] >= model.vocabulary()) {
        throw new UserError(String.format(Locale.ROOT, "Token %d of the prompt is %d; the model's tokens are 0 to %d", i, prompt[i],
            model.vocabulary() - 1));
      }
    }
  }

  /** How many tokens can be made: the last one need not be seen by the model any more. */
  int most(ModelConfig model) {
    return Math.min(tokens, model.longest() - prompt.length + 1);
  }
}
