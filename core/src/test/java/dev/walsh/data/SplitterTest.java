package dev.walsh.data;

import dev.walsh.text.Texts;
import dev.walsh.text.Tokenizer;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

final class SplitterTest {
  private static final Tokenizer GPT2 = Tokenizer.of("gpt2");

  @ParameterizedTest
  @CsvSource(delimiter = '=', value = {
      "one                                                             = one",
      "one/two                                                         = one/two",
      "one/<|endoftext|>/two/                                          = one/;two/",
      "one/<|endoftext|>                                               = one/",
      "<|endoftext|>/one/<|endoftext|>/<|endoftext|>/ /<|endoftext|>/x  = one/;x",
      "one/ <|endoftext|>/two<|endoftext|>/<|endoftext|>three/         = one/ <|endoftext|>/two<|endoftext|>/<|endoftext|>three/",
      "one%/<|endoftext|>%/two%/                                       = one%/;two%/",
      "one/<|endoftext|>%                                              = one/",
      "one/<|endoftext|>%x                                             = one/<|endoftext|>%x",
      "one/<|endoftext|                                                = one/<|endoftext|"})
  void linesThatAreTheSeparatorEndDocuments(String text, String documents) throws Exception {
    assertThat(documents(text.replace('/', '\n').replace('%', '\r')))
        .containsExactly(documents.replace('/', '\n').replace('%', '\r').split(";"));
  }

  @Property(tries = 30)
  void aDocumentOfManyPiecesHasTheTokensOfTheWhole(@ForAll("texts") String text, @ForAll Random random) throws Exception {
    // No line of it begins like a separator.
    var whole = new StringBuilder("a ");
    while (whole.length() < 3 * Splitter.CAPACITY / 2) {
      int part = text.offsetByCodePoints(0, random.nextInt(text.codePointCount(0, text.length()) + 1));
      whole.append(text).append((char) ('a' + random.nextInt(26))).append(' ').append(text, 0, part);
    }
    var document = whole.toString().replace("\n<|", "\n <|").getBytes(UTF_8);
    var pieces = pieces(document);
    assertThat(pieces).hasSizeGreaterThan(1);
    assertThat(joined(pieces)).isEqualTo(document);
    assertThat(pieces.stream().flatMapToInt(piece -> IntStream.of(GPT2.encode(piece.text()))).toArray()).isEqualTo(GPT2.encode(document));
  }

  @Test
  void separatorsAreFoundAcrossTheEndsOfTheBuffer() throws Exception {
    var line = "some words to fill a line\n".repeat(2 + Splitter.CAPACITY / 26);
    for (int shift = -20; shift <= 20; shift++) {
      var first = line.substring(0, Splitter.CAPACITY + shift - 1) + "\n";
      assertThat(documents(first + "<|endoftext|>\nsecond")).as("shift " + shift).containsExactly(first, "second");
      assertThat(documents(first + "<|endoftext|>")).as("shift " + shift).containsExactly(first);
    }
  }

  @Test
  void runsWithoutASpaceAreCutBetweenCharacters() throws Exception {
    for (var character : List.of("x", "語", " ")) {
      var text = "start" + character.repeat(400_000 / character.getBytes(UTF_8).length) + "end";
      var pieces = pieces(text.getBytes(UTF_8));
      assertThat(pieces).hasSizeGreaterThan(1).allSatisfy(piece -> assertThat(piece.text().length).isLessThanOrEqualTo(Splitter.CAPACITY));
      var tokens = pieces.stream().flatMapToInt(piece -> IntStream.of(GPT2.encode(piece.text()))).toArray();
      assertThat(GPT2.decode(tokens)).isEqualTo(text);
    }
  }

  @Test
  void aPieceKnowsItsPlaceAndAFirstOneHoldsTheHead() throws Exception {
    var text = "word ".repeat(200_000).getBytes(UTF_8);
    var pieces = pieces(text);
    assertThat(pieces.getFirst().first()).isTrue();
    assertThat(pieces.getFirst().text().length).isGreaterThanOrEqualTo(Splitter.HEAD);
    long offset = 0;
    for (var piece : pieces) {
      assertThat(piece.offset()).isEqualTo(offset);
      assertThat(piece.first()).isEqualTo(offset == 0);
      offset += piece.text().length;
    }
  }

  private static List<Piece> pieces(byte[] text) throws IOException, InterruptedException {
    var pieces = new ArrayList<Piece>();
    var input = new TextInput(new ByteArrayInputStream(text), "test", TextInput.Allowance.unlimited("test"), () -> 0);
    new Splitter().split(input, pieces::add);
    return pieces;
  }

  private static byte[] joined(List<Piece> pieces) {
    var joined = new ByteArrayOutputStream();
    pieces.forEach(piece -> joined.writeBytes(piece.text()));
    return joined.toByteArray();
  }

  private static List<String> documents(String text) throws IOException, InterruptedException {
    var documents = new ArrayList<String>();
    for (var piece : pieces(text.getBytes(UTF_8))) {
      var part = new String(piece.text(), UTF_8);
      if (piece.first()) {
        documents.add(part);
      } else {
        documents.add(documents.removeLast() + part);
      }
    }
    return documents;
  }

  @Provide
  Arbitrary<String> texts() {
    return Texts.any();
  }
}
