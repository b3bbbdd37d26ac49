package dev.walsh.text;

import dev.walsh.config.UserError;
import java.io.ByteArrayOutputStream;

import static java.nio.charset.StandardCharsets.UTF_8;

/**
 * A lossless map between text and token ids, all below 2^16: GPT-2's byte-pair encoding or plain bytes. Text is ordinary text: a literal
 * {@code <|endoftext|>} in it is encoded letter by letter, and the end-of-text token only ever separates documents. Safe to use from
 * several threads.
 */
public sealed interface Tokenizer permits ByteTokenizer, Gpt2Tokenizer {
  /** The tokenizer of a name, "gpt2" or "bytes". */
  static Tokenizer of(String name) {
    return switch (name) {
      case ByteTokenizer.NAME -> ByteTokenizer.INSTANCE;
      case Gpt2Tokenizer.NAME -> Gpt2Tokenizer.instance();
      default -> throw new UserError("There is no tokenizer '" + name + "': use gpt2 or bytes.");
    };
  }

  /** The name by which {@link #of} finds it. */
  String name();

  /** The number of token ids, the end-of-text token included. */
  int vocabulary();

  /** The token between documents; it stands for no bytes. */
  int endOfText();

  /**
   * The tokens of a text in UTF-8, none of them the end-of-text token.
   *
   * @throws MalformedTextException where the tokenizer needs UTF-8 (gpt2) and the bytes are none
   */
  int[] encode(byte[] text);

  /** The tokens of a text. */
  default int[] encode(String text) {
    return encode(text.getBytes(UTF_8));
  }

  /** The bytes that a token stands for; not to be written to. */
  byte[] bytes(int token);

  /** How many bytes of text a token stands for. */
  default int byteCount(int token) {
    return bytes(token).length;
  }

  /** The bytes that tokens stand for. */
  default byte[] decodeBytes(int... tokens) {
    var text = new ByteArrayOutputStream(4 * tokens.length);
    for (int token : tokens) {
      text.writeBytes(bytes(token));
    }
    return text.toByteArray();
  }

  /** The text that tokens stand for, U+FFFD in the place of what is no UTF-8. */
  default String decode(int... tokens) {
    return new String(decodeBytes(tokens), UTF_8);
  }
}
