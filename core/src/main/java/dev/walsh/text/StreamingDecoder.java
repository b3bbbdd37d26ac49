package dev.walsh.text;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;

import static java.nio.charset.StandardCharsets.UTF_8;

/** Text that grows token by token: gives out only whole characters and keeps the bytes of an unfinished one for the next call. */
public final class StreamingDecoder {
  private static final int UNFINISHED = 4;

  private final Tokenizer tokenizer;
  private final CharsetDecoder decoder = UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPLACE);
  private ByteBuffer rest = ByteBuffer.allocate(0);

  public StreamingDecoder(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  /** The characters that a token completes, often one or more, sometimes none. */
  public String next(int token) {
    return decode(tokenizer.bytes(token), false);
  }

  /** What is left at the end: empty, or U+FFFD for an unfinished character. */
  public String finish() {
    var last = decode(new byte[0], true);
    decoder.reset();
    return last;
  }

  private String decode(byte[] more, boolean end) {
    var bytes = ByteBuffer.allocate(rest.remaining() + more.length).put(rest).put(more).flip();
    var chars = CharBuffer.allocate(bytes.remaining() + UNFINISHED);
    decoder.decode(bytes, chars, end);
    if (end) {
      decoder.flush(chars);
    }
    rest = bytes;
    return chars.flip().toString();
  }
}
