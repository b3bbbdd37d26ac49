package dev.walsh.ranks;

/** One word between two ranks: what it is about, the rank it concerns, and a text. */
record Message(Kind kind, int rank, String text) {
  enum Kind {
    /** A rank arrives; the text is the number of ranks that it expects. */
    HELLO,
    /** All ranks are there. */
    WELCOME,
    /** They will not be; the text says why. */
    REFUSED,
    /** The sender is alive. */
    BEAT,
    /** Rank 0 tells all others the text. */
    TOLD,
    /** The sender has done all it was there for. */
    DONE,
    /** A rank will do nothing more, because of what the text says. */
    LOST
  }

  static Message of(Kind kind, int sender) {
    return new Message(kind, sender, "");
  }
}
