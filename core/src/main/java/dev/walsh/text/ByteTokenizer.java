package dev.walsh.text;

/** The bytes of a text as they are, and one token more, 256, between documents. */
final class ByteTokenizer implements Tokenizer {
  static final String NAME = "bytes";
  static final ByteTokenizer INSTANCE = new ByteTokenizer();

  private static final int END_OF_TEXT = 256;
  private static final byte[] NOTHING = {};

  private ByteTokenizer() {}

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int vocabulary() {
    return END_OF_TEXT + 1;
  }

  @Override
  public int endOfText() {
    return END_OF_TEXT;
  }

  @Override
  public int[] encode(byte[] text) {
    int[] tokens = new int[text.length];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = Byte.toUnsignedInt(text[i]);
    }
    return tokens;
  }

  @Override
  public byte[] bytes(int token) {
    if (token < 0 || token > END_OF_TEXT) {
      throw new IllegalArgumentException("no token " + token + " among " + vocabulary());
    }
    return token == END_OF_TEXT ? NOTHING : new byte[] {(byte) token};
  }

  @Override
  public int byteCount(int token) {
    return token == END_OF_TEXT ? 0 : 1;
  }
}
