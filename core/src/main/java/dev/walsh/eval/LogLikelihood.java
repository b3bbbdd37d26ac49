package dev.walsh.eval;

/**
 * How likely a model finds tokens, given what comes before them.
 *
 * @param nats the sum of their log-probabilities, in nats
 * @param greedy whether each of them is the one that the model finds likeliest
 * @param tokens how many there are
 * @param truncated whether what comes before them, or they, lost their beginning because the model's context is too short
 */
public record LogLikelihood(double nats, boolean greedy, int tokens, boolean truncated) {
  static final LogLikelihood NONE = new LogLikelihood(0, true, 0, false);

  LogLikelihood plus(LogLikelihood more) {
    return new LogLikelihood(nats + more.nats, greedy && more.greedy, tokens + more.tokens, truncated || more.truncated);
  }
}
