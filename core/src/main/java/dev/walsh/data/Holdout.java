package dev.walsh.data;

/**
 * Which tokens of each document are held out for validation. Of {@value #FEW} documents or more, whole ones whose hash is below the
 * fraction; if there is none, the one of the lowest hash. Of fewer, the last tokens of each.
 */
final class Holdout {
  private static final int FEW = 20;

  private final Spool spool;
  private final double fraction;
  private final int lowest;

  Holdout(Spool spool, double fraction) {
    this.spool = spool;
    this.fraction = fraction;
    int least = 0;
    for (int document = 1; document < spool.documents(); document++) {
      least = spool.hash(document) < spool.hash(least) ? document : least;
    }
    lowest = least;
  }

  Manifest.HeldOut kind() {
    if (fraction == 0) {
      return Manifest.HeldOut.NOTHING;
    }
    return spool.documents() < FEW ? Manifest.HeldOut.TAILS : Manifest.HeldOut.DOCUMENTS;
  }

  /** How many tokens at the end of a document are held out; all of them include the end-of-text token at its front. */
  long tokens(int document) {
    long length = spool.start(document + 1) - spool.start(document);
    return switch (kind()) {
      case NOTHING -> 0;
      case DOCUMENTS -> spool.hash(document) < fraction || document == lowest ? length : 0;
      // The end-of-text token and one more stay on the side of training.
      case TAILS -> Math.max(0, Math.min(length - 2, (long) Math.ceil(fraction * (length - 1))));
    };
  }
}
