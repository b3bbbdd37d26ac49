package dev.walsh.eval;

import java.util.Arrays;
import java.util.List;

import static java.nio.charset.StandardCharsets.UTF_8;

/**
 * An item and what the model said of it.
 *
 * @param answers one for each choice, or one for the continuation or the text
 */
record Scored(Item item, List<LogLikelihood> answers) {
  boolean truncated() {
    return answers.stream().anyMatch(LogLikelihood::truncated);
  }

  /** The log-likelihood of an item that has but one. */
  double nats() {
    return answers.getFirst().nats();
  }

  /** In UTF-8, of each choice, of the continuation or of the text. */
  List<Integer> bytes() {
    return switch (item) {
      case Item.Choices question -> question.choices().stream().map(Scored::bytes).toList();
      case Item.Continuation end -> List.of(bytes(end.continuation()));
      case Item.Text whole -> List.of(bytes(whole.text()));
    };
  }

  private static int bytes(String text) {
    return text.getBytes(UTF_8).length;
  }

  /**
   * 1 where the right choice is the likeliest, the first of equals counting, else 0; NaN where a log-likelihood is.
   *
   * @param aByte whether log-likelihoods are divided by the bytes of their choices
   */
  double right(boolean aByte) {
    double[] compared = answers.stream().mapToDouble(LogLikelihood::nats).toArray();
    if (aByte) Arrays.setAll(compared, i -> compared[i] / bytes().get(i));
    int best = 0;
    for (int i = 0; i < compared.length; i++) {
      if (Double.isNaN(compared[i])) return Double.NaN;
      if (compared[i] > compared[best]) best = i;
    }
    return item instanceof Item.Choices question && best == question.gold() ? 1 : 0;
  }

  /** 1 where each token of a continuation is the likeliest, else 0; NaN where the log-likelihood is. */
  double greedy() {
    if (Double.isNaN(nats())) return Double.NaN;
    return answers.getFirst().greedy() ? 1 : 0;
  }
}
