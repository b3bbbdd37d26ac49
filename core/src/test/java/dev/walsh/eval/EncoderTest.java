package dev.walsh.eval;

import dev.walsh.text.Texts;
import dev.walsh.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;

final class EncoderTest {
  private static final Tokenizer GPT2 = Tokenizer.of("gpt2");
  private static final Tokenizer BYTES = Tokenizer.of("bytes");
  private static final int LONG = 1000;

  private static String scored(Tokenizer tokenizer, Sequence sequence) {
    var tokens = sequence.tokens();
    return tokenizer.decode(Arrays.copyOfRange(tokens, tokens.length - sequence.scored(), tokens.length));
  }

  private static String given(Tokenizer tokenizer, Sequence sequence) {
    return tokenizer.decode(Arrays.copyOf(sequence.tokens(), sequence.tokens().length - sequence.scored()));
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "bytes"})
  void theContinuationIsScoredBehindItsContext(String name) {
    var tokenizer = Tokenizer.of(name);
    var sequence = new Encoder(tokenizer, LONG).pair("The quick brown", " fox jumps");
    assertThat(given(tokenizer, sequence)).isEqualTo("The quick brown");
    assertThat(scored(tokenizer, sequence)).isEqualTo(" fox jumps");
    assertThat(sequence.truncated()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "bytes"})
  void whiteSpaceBehindAContextIsScored(String name) {
    var tokenizer = Tokenizer.of(name);
    var sequence = new Encoder(tokenizer, LONG).pair("The quick \n\u00a0\u001c", " fox");
    assertThat(given(tokenizer, sequence)).isEqualTo("The quick");
    assertThat(scored(tokenizer, sequence)).isEqualTo(" \n\u00a0\u001c fox");
  }

  @Test
  void withoutAContextThePrefixTokenStandsBefore() {
    for (var context : new String[] {"", " \n"}) {
      var sequence = new Encoder(GPT2, LONG).pair(context, " fox");
      assertThat(sequence.tokens()[0]).isEqualTo(GPT2.endOfText());
      assertThat(scored(GPT2, sequence)).isEqualTo(context + " fox");
      assertThat(sequence.scored()).isEqualTo(sequence.length());
    }
  }

  @Test
  void theTokensAreThoseOfTheWhole() {
    // "un" + "believable" is one text of three tokens, of which the context alone has one.
    var whole = GPT2.encode("unbelievable");
    var sequence = new Encoder(GPT2, LONG).pair("un", "believable");
    assertThat(Arrays.copyOfRange(sequence.tokens(), 1, sequence.tokens().length)).isEqualTo(Arrays.copyOfRange(whole, 1, whole.length));
    // "wor" is one token and so is "world": nothing is left to score.
    assertThat(GPT2.encode("world")).hasSize(1);
    assertThat(new Encoder(GPT2, LONG).pair("wor", "ld").scored()).isZero();
  }

  @Test
  void whatDoesNotFitLosesItsBeginning() {
    var encoder = new Encoder(BYTES, 8);
    assertThat(encoder.pair("abcdef", " gh").truncated()).isFalse();
    var cut = encoder.pair("abcdefg", " hi");
    assertThat(cut.truncated()).isTrue();
    assertThat(given(BYTES, cut)).isEqualTo("bcdefg");
    assertThat(scored(BYTES, cut)).isEqualTo(" hi");
    var all = encoder.pair("abc", " 0123456789");
    assertThat(all.truncated()).isTrue();
    assertThat(given(BYTES, all)).isEqualTo("1");
    assertThat(scored(BYTES, all)).isEqualTo("23456789");
  }

  @Property(tries = 300)
  void windowsScoreEachTokenOnce(@ForAll("texts") String text, @ForAll @IntRange(min = 1, max = 40) int context) {
    var windows = new Encoder(GPT2, context).windows(text);
    var scored = new ArrayList<Integer>();
    for (var window : windows) {
      assertThat(window.length()).isLessThanOrEqualTo(context);
      assertThat(window.truncated()).isFalse();
      var tokens = window.tokens();
      for (int i = tokens.length - window.scored(); i < tokens.length; i++) scored.add(tokens[i]);
    }
    assertThat(scored).isEqualTo(Arrays.stream(GPT2.encode(text)).boxed().toList());
  }

  @Provide
  Arbitrary<String> texts() {
    return Texts.any();
  }

  @Test
  void theLastWindowReadsAsMuchAsFits() {
    var windows = new Encoder(BYTES, 4).windows("abcdefghij");
    assertThat(windows).hasSize(3);
    assertThat(windows.get(0).tokens()).containsExactly(BYTES.endOfText(), 'a', 'b', 'c', 'd');
    assertThat(windows.get(1).tokens()).containsExactly('d', 'e', 'f', 'g', 'h');
    assertThat(windows.get(2).tokens()).containsExactly('f', 'g', 'h', 'i', 'j');
    assertThat(windows).extracting(Sequence::scored).containsExactly(4, 4, 2);
  }

  /** As Python's {@code len(re.split(r"\s+", text))} has it. */
  @ParameterizedTest
  @CsvSource(value = {"''|1", "one|1", "one two|2", "' one  two\n'|4", "' '|2", "'a\u00a0b\u0085c\u001cd\u200be'|4"}, delimiter = '|')
  void wordsAreWhatWhiteSpaceSeparates(String text, int words) {
    assertThat(Encoder.words(text)).isEqualTo(words);
  }
}
