package dev.walsh.text;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Tuple;

/** Texts that are hard on a pre-tokenizer: white space of all kinds, contractions, digits, many scripts. */
public final class Texts {
  private Texts() {}

  public static Arbitrary<String> any() {
    var parts = Arbitraries.of(" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u0085", "\u3000", "\u2028", "\u001c", "'", "'s", "'ll", "l", "ve",
        "word", "Two",
        "7", "2024", "½", "é", "e\u0301", "ж", "中", "字。", "😀", "𝔘", "<", "<|endoftext|>", "|", "=", "_", "\u200b", "\0");
    var anything = Arbitraries.strings().ofMaxLength(5)
        .filter(text -> text.codePoints().noneMatch(c -> Character.getType(c) == Character.SURROGATE));
    return Arbitraries.frequencyOf(Tuple.of(9, parts), Tuple.of(1, anything)).list().ofMaxSize(60)
        .map(list -> String
            .join("", list));
  }
}
