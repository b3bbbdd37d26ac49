package dev.walsh.tensor;

/** A kernel of ours that this machine cannot run; the message says what it lacks, in words for the middle of a sentence. */
public final class KernelUnavailable extends RuntimeException {
  private static final long serialVersionUID = 1;

  public KernelUnavailable(String message) {
    super(message);
  }

  KernelUnavailable(String message, Throwable cause) {
    super(message, cause);
  }
}
