package dev.walsh.text;

/** Says that a text is not UTF-8, and from which byte on. */
public final class MalformedTextException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int offset;

  MalformedTextException(int offset) {
    super("not UTF-8 at byte " + offset);
    this.offset = offset;
  }

  /** The first byte, counted from 0, that belongs to no character. */
  public int offset() {
    return offset;
  }
}
