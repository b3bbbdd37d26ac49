package dev.walsh.data;

import java.io.IOException;
import java.util.Arrays;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

/**
 * Splits a text into documents, at lines that are exactly {@code <|endoftext|>}, and long documents into pieces, in bounded memory.
 *
 * <p>A piece ends between a character that is no white space and one that is. There GPT-2's pre-tokenizer
 * ({@code 's|'t|…| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+}) always begins a new match: in every alternative white space
 * stands only at the front, so none goes on from other characters into white space. What precedes the cut is matched alike without the
 * text that follows it, because the only look-ahead, (?!\S), follows white space, and white space right before the cut there is none;
 * what follows it is matched alike without the text before, because no alternative looks back. So the tokens of the pieces, joined, are
 * the tokens of the whole.
 *
 * <p>Only where {@link #CAPACITY} − {@link #HEAD} bytes have no such place is a document cut between any two characters.
 */
final class Splitter {
  /** The least size of a piece that does not end its document; what identifies a document lies in so many first bytes. */
  static final int HEAD = 1 << 16;
  static final int CAPACITY = 1 << 18;

  private static final byte[] SEPARATOR = "<|endoftext|>".getBytes(US_ASCII);
  /** A separator with its line end is shorter, so one that was not found in a full buffer begins in this margin at its end. */
  private static final int MARGIN = 16;
  private static final int LONGEST_CHARACTER = 4;

  private final byte[] buffer = new byte[CAPACITY];
  private int length;
  private boolean end;
  private boolean lineStart;

  /** Gives the pieces of a text; documents of nothing but white space are left out. */
  void split(TextInput text, Piece.Sink sink) throws IOException, InterruptedException {
    boolean first = true;
    long offset = 0;
    length = 0;
    lineStart = true;
    do {
      length += text.readNBytes(buffer, length, CAPACITY - length);
      end = length < CAPACITY;
      int from = 0;
      for (int separator; (separator = separator(from)) >= 0; from = afterLine(separator)) {
        emitLast(text, sink, from, separator, first, offset);
        first = true;
        lineStart = true;
      }
      int to = from;
      if (end) {
        to = length;
        emitLast(text, sink, from, to, first, offset);
      } else if (from == 0) {
        to = cut();
        emit(text, sink, 0, to, first, offset);
        first = false;
        lineStart = buffer[to - 1] == '\n';
      }
      System.arraycopy(buffer, to, buffer, 0, length - to);
      length -= to;
      offset += to;
    } while (!end);
  }

  private void emitLast(TextInput text, Piece.Sink sink, int from, int to, boolean first, long offset) throws InterruptedException {
    if (from < to && !(first && isBlank(from, to))) {
      emit(text, sink, from, to, first, offset);
    }
  }

  private void emit(TextInput text, Piece.Sink sink, int from, int to, boolean first, long offset) throws InterruptedException {
    sink.accept(new Piece(Arrays.copyOfRange(buffer, from, to), first, text.name(), offset + from, text.consumed()));
  }

  private boolean isBlank(int from, int to) {
    for (int i = from; i < to; i++) {
      if (!isSpace(buffer[i])) {
        return false;
      }
    }
    return true;
  }

  private static boolean isSpace(byte b) {
    return b == ' ' || b == '\n' || b == '\r' || b == '\t';
  }

  /** The start of the next line that is the separator and nothing else, or -1. */
  private int separator(int from) {
    for (int i = from; i <= length - SEPARATOR.length; i++) {
      if (buffer[i] == SEPARATOR[0] && (i > from ? buffer[i - 1] == '\n' : lineStart)
          && Arrays.equals(buffer, i, i + SEPARATOR.length, SEPARATOR, 0, SEPARATOR.length) && afterLine(i) > 0) {
        return i;
      }
    }
    return -1;
  }

  /** Where the line after a separator begins, or -1 where something else follows it. */
  private int afterLine(int separator) {
    int i = separator + SEPARATOR.length;
    if (i < length && buffer[i] == '\r') {
      i++;
    }
    if (i == length) {
      return end ? i : -1;
    }
    return buffer[i] == '\n' ? i + 1 : -1;
  }

  /** The last place of a full buffer where its document can be cut. */
  private int cut() {
    int last = length - MARGIN;
    for (int i = last; i > HEAD; i--) {
      if (isSpace(buffer[i]) && !endsWithSpace(i)) {
        return i;
      }
    }
    return characterStart(last);
  }

  /** Whether the character before a place may be white space; control characters count as such, to be on the safe side. */
  private boolean endsWithSpace(int to) {
    if (buffer[to - 1] >= 0) {
      return buffer[to - 1] <= ' ';
    }
    int start = characterStart(to - 1);
    int character = new String(buffer, start, to - start, UTF_8).codePointAt(0);
    return Character.isWhitespace(character) || Character.isSpaceChar(character) || Character.isISOControl(character);
  }

  private int characterStart(int at) {
    int start = at;
    while (at - start < LONGEST_CHARACTER && (buffer[start] & 0xC0) == 0x80) {
      start--;
    }
    return start;
  }
}
