package dev.walsh.text;

import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.Encoding;
import com.knuddels.jtokkit.api.EncodingType;
import com.knuddels.jtokkit.api.IntArrayList;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CodingErrorAction;

import static java.nio.charset.StandardCharsets.UTF_8;

/** GPT-2's byte-pair encoding (Radford et al. 2019), 50257 tokens, by jtokkit. */
final class Gpt2Tokenizer implements Tokenizer {
  static final String NAME = "gpt2";

  private static final int END_OF_TEXT = 50256;
  private static final char REPLACEMENT = '\uFFFD';

  private final Encoding encoding = Encodings.newLazyEncodingRegistry().getEncoding(EncodingType.R50K_BASE);
  private final byte[][] bytes = new byte[END_OF_TEXT + 1][];

  private Gpt2Tokenizer() {
    var token = new IntArrayList(1);
    token.add(0);
    for (int id = 0; id < END_OF_TEXT; id++) {
      token.set(0, id);
      bytes[id] = encoding.decodeBytes(token);
    }
    bytes[END_OF_TEXT] = new byte[0];
  }

  /** The one instance, made when it is first needed: its tables take a tenth of a second. */
  static Gpt2Tokenizer instance() {
    return Holder.INSTANCE;
  }

  private static final class Holder {
    static final Gpt2Tokenizer INSTANCE = new Gpt2Tokenizer();
  }

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
    return encoding.encodeOrdinary(string(text)).toArray();
  }

  /** Strict, yet at the speed of the lenient decoder: only where that one put a U+FFFD is there anything to check. */
  private static String string(byte[] text) {
    var string = new String(text, UTF_8);
    if (string.indexOf(REPLACEMENT) >= 0) {
      var bytes = ByteBuffer.wrap(text);
      var strict = UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT);
      if (strict.decode(bytes, CharBuffer.allocate(text.length), true).isError()) {
        throw new MalformedTextException(bytes.position());
      }
    }
    return string;
  }

  @Override
  public byte[] bytes(int token) {
    if (token < 0 || token > END_OF_TEXT) {
      throw new IllegalArgumentException("no token " + token + " among " + vocabulary());
    }
    return bytes[token];
  }
}
