package dev.walsh.eval;

import dev.walsh.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What lm-evaluation-harness makes of texts before a model reads them. Safe to use from several threads.
 *
 * @param tokenizer whose end-of-text token stands before what has no context: the prefix token
 * @param context the most tokens that the model reads
 */
record Encoder(Tokenizer tokenizer, int context) {
  /**
   * A continuation after its context. White space at the end of the context is taken to be the beginning of the continuation, and both are
   * encoded as one text, so that the tokens are those that the text has: all tokens of the whole behind as many as the context alone has are
   * scored.
   */
  Sequence pair(String context, String continuation) {
    int end = context.length();
    while (end > 0 && isSpace(context.charAt(end - 1)))
      end--;
    var whole = tokenizer.encode(context + continuation);
    if (end == 0) return Sequence.of(prefix(), whole, this.context);
    var before = tokenizer.encode(context.substring(0, end));
    return Sequence.of(before, Arrays.copyOfRange(whole, Math.min(before.length, whole.length), whole.length), this.context);
  }

  /**
   * A text in windows of the model's context, each token scored once. The first window begins with the prefix token, each further one with the
   * token before those that it scores; the last, which has fewer to score, reads as many before them as fit.
   */
  List<Sequence> windows(String text) {
    var tokens = tokenizer.encode(text);
    var windows = new ArrayList<Sequence>();
    int first = Math.min(context, tokens.length);
    if (first > 0) windows.add(Sequence.of(prefix(), Arrays.copyOf(tokens, first), context));
    for (int done = first; done < tokens.length;) {
      int scored = Math.min(context, tokens.length - done);
      int end = done + scored;
      windows.add(new Sequence(Arrays.copyOfRange(tokens, end - context - 1, end), scored, false));
      done = end;
    }
    return windows;
  }

  private int[] prefix() {
    return new int[] {tokenizer.endOfText()};
  }

  /** How many words lm-evaluation-harness counts in a text: one more than there are runs of white space, be they at its ends. */
  static int words(String text) {
    int words = 1;
    for (int i = 0; i < text.length(); i++) {
      if (isSpace(text.charAt(i)) && (i == 0 || !isSpace(text.charAt(i - 1)))) words++;
    }
    return words;
  }

  /** White space as Python has it; no such character is longer than a char. */
  private static boolean isSpace(char c) {
    return Character.isWhitespace(c) || Character.isSpaceChar(c) || c == '\u0085';
  }
}
