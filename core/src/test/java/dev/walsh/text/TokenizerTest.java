package dev.walsh.text;

import dev.walsh.config.Json;
import dev.walsh.config.UserError;
import java.io.IOException;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class TokenizerTest {
  private static final Tokenizer GPT2 = Tokenizer.of("gpt2");
  private static final Tokenizer BYTES = Tokenizer.of("bytes");

  /** A text and its ids by an independent implementation (the npm package gpt-tokenizer). */
  @SuppressWarnings("ArrayRecordComponent") // Read from JSON, never compared.
  private record Known(String text, int[] tokens) {}

  @Test
  void knownTextsHaveTheIdsOfAnIndependentTokenizer() throws IOException {
    try (var table = TokenizerTest.class.getResourceAsStream("gpt2-tokens.json")) {
      var known = Json.LINE.readValue(table, Known[].class);
      assertThat(known).hasSizeGreaterThanOrEqualTo(50);
      for (var row : known) {
        assertThat(GPT2.encode(row.text())).as(row.text()).containsExactly(row.tokens());
        assertThat(GPT2.decode(row.tokens())).isEqualTo(row.text());
      }
    }
  }

  @Property(tries = 300)
  void gpt2RoundTripsAnyText(@ForAll("texts") String text) {
    int[] tokens = GPT2.encode(text);
    assertThat(GPT2.decode(tokens)).isEqualTo(text);
    assertThat(tokens).doesNotContain(GPT2.endOfText());
    assertThat(bytes(GPT2, tokens)).isEqualTo(text.getBytes(UTF_8).length);
  }

  @Property(tries = 300)
  void bytesRoundTripAnything(@ForAll byte[] text) {
    int[] tokens = BYTES.encode(text);
    assertThat(BYTES.decodeBytes(tokens)).isEqualTo(text);
    assertThat(tokens).doesNotContain(BYTES.endOfText());
    assertThat(bytes(BYTES, tokens)).isEqualTo(text.length);
  }

  @Property(tries = 300)
  void streamedTextIsTheWholeTextAndNeverSplitsACharacter(@ForAll("texts") String text) {
    for (var tokenizer : new Tokenizer[] {GPT2, BYTES}) {
      var decoder = new StreamingDecoder(tokenizer);
      var streamed = new StringBuilder();
      for (int token : tokenizer.encode(text)) {
        var part = decoder.next(token);
        assertThat(part.codePoints()).noneMatch(character -> Character.getType(character) == Character.SURROGATE);
        streamed.append(part);
      }
      assertThat(streamed.append(decoder.finish()).toString()).isEqualTo(text);
    }
  }

  @Test
  void anUnfinishedCharacterShowsAtTheEnd() {
    var decoder = new StreamingDecoder(BYTES);
    assertThat(decoder.next(0xE2)).isEmpty();
    assertThat(decoder.next(0x82)).isEmpty();
    assertThat(decoder.finish()).isEqualTo("\uFFFD");
    assertThat(decoder.next('a')).isEqualTo("a");
  }

  @Test
  void theEndOfTextStandsForNoBytes() {
    assertThat(GPT2.endOfText()).isEqualTo(50256);
    assertThat(GPT2.vocabulary()).isEqualTo(50257);
    assertThat(BYTES.endOfText()).isEqualTo(256);
    assertThat(BYTES.vocabulary()).isEqualTo(257);
    for (var tokenizer : new Tokenizer[] {GPT2, BYTES}) {
      assertThat(tokenizer.decode(tokenizer.endOfText())).isEmpty();
      assertThat(tokenizer.byteCount(tokenizer.endOfText())).isZero();
      assertThatThrownBy(() -> tokenizer.bytes(tokenizer.vocabulary())).isInstanceOf(IllegalArgumentException.class);
      assertThat(Tokenizer.of(tokenizer.name())).isSameAs(tokenizer);
    }
  }

  @Test
  void malformedTextIsFoundAtItsByte() {
    var text = "größer\uFFFD".getBytes(UTF_8);
    assertThat(GPT2.decode(GPT2.encode(text))).isEqualTo("größer\uFFFD");
    text[8] = (byte) 0xFF;
    assertThatThrownBy(() -> GPT2.encode(text)).isInstanceOfSatisfying(MalformedTextException.class,
        error -> assertThat(error.offset()).isEqualTo(
            8));
    assertThatThrownBy(() -> GPT2.encode(new byte[] {'a', (byte) 0xC3})).isInstanceOfSatisfying(MalformedTextException.class,
        error -> assertThat(
            error.offset()).isEqualTo(1));
  }

  @Test
  void anUnknownNameIsAUsersError() {
    assertThatThrownBy(() -> Tokenizer.of("gpt4")).isInstanceOf(UserError.class)
        .hasMessage("There is no tokenizer 'gpt4': use gpt2 or bytes.");
  }

  private static long bytes(Tokenizer tokenizer, int[] tokens) {
    long bytes = 0;
    for (int token : tokens) {
      bytes += tokenizer.byteCount(token);
    }
    return bytes;
  }

  @Provide
  Arbitrary<String> texts() {
    return Texts.any();
  }
}
