package dev.walsh.eval;

/** Says which request has a continuation without a token of its own. */
public final class NothingToScoreException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int request;

  NothingToScoreException(int request) {
    super("request " + request + " has no token to score");
    this.request = request;
  }

  /** The request's index. */
  public int request() {
    return request;
  }
}
