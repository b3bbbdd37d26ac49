package dev.walsh.data;

import dev.walsh.config.UserError;
import dev.walsh.files.Sha256;
import dev.walsh.measure.Progress;
import dev.walsh.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class PreparationTest {
  private static final Tokenizer GPT2 = Tokenizer.of("gpt2");
  private static final Tokenizer BYTES = Tokenizer.of("bytes");

  @TempDir
  Path folder;
  private Path out;

  @BeforeEach
  void chooseOutput() {
    out = folder.resolve("made").resolve("dataset");
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "bytes"})
  void allTextIsInTheShardsInOrderWithEveryDocumentOnOneSide(String name) throws Exception {
    var tokenizer = Tokenizer.of(name);
    var documents = documents(100, 3000);
    var result = prepare(documents, tokenizer, 0.2, 20_000);
    var manifest = result.manifest();
    try (var dataset = Dataset.open(out)) {
      dataset.verify();
      assertThat(dataset.manifest()).isEqualTo(manifest);
      assertThat(dataset.tokenizer()).isSameAs(tokenizer);
      var train = texts(dataset.train(), tokenizer);
      var val = texts(dataset.val(), tokenizer);
      assertThat(val).hasSizeBetween(8, 35).isSubsetOf(documents);
      var expected = new ArrayList<>(documents);
      expected.removeAll(val);
      assertThat(train).isEqualTo(expected);
      assertThat(manifest.train().documents()).isEqualTo(train.size());
      assertThat(manifest.val().documents()).isEqualTo(val.size());
      assertThat(manifest.train().bytes()).isEqualTo(String.join("", train).getBytes(UTF_8).length);
      assertThat(manifest.val().bytes()).isEqualTo(String.join("", val).getBytes(UTF_8).length);
      assertThat(manifest.train().tokens()).isEqualTo(dataset.train().tokens());
      assertThat(manifest.train().shards()).hasSizeGreaterThan(1).allMatch(shard -> shard.tokens() <= 20_000);
    }
    assertThat(manifest.heldOut()).isEqualTo(Manifest.HeldOut.DOCUMENTS);
    assertThat(result.documents()).isEqualTo(100);
    assertThat(names(out)).isEqualTo(manifest.files());
    assertThat(names(out.resolveSibling("."))).containsExactly("dataset");
  }

  @Test
  void theSplitDoesNotChangeWhenDocumentsAreAddedNorWithTheTokenizer() throws Exception {
    var documents = documents(200, 500);
    var before = held(prepare(documents.subList(50, 150), BYTES, 0.1, 1_000_000));
    out = out.resolveSibling("more");
    var after = held(prepare(documents, GPT2, 0.1, 1_000_000));
    assertThat(before).isNotEmpty().isEqualTo(after.stream().filter(documents.subList(50, 150)::contains).collect(Collectors.toSet()));
  }

  @Test
  void aFractionTooSmallForItsDocumentsHoldsOutOne() throws Exception {
    var manifest = prepare(documents(20, 100), BYTES, 1e-9, 1_000_000).manifest();
    assertThat(manifest.val().documents()).isEqualTo(1);
    assertThat(manifest.train().documents()).isEqualTo(19);
  }

  @Test
  void ofFewDocumentsTheEndsAreHeldOut() throws Exception {
    var documents = List.of("a".repeat(999) + "\n", "b".repeat(99) + "\n", "c");
    var manifest = prepare(documents, BYTES, 0.1, 1_000_000).manifest();
    assertThat(manifest.heldOut()).isEqualTo(Manifest.HeldOut.TAILS);
    try (var dataset = Dataset.open(out)) {
      assertThat(texts(dataset.train(), BYTES)).containsExactly("a".repeat(900), "b".repeat(90), "c");
      assertThat(texts(dataset.val(), BYTES)).containsExactly("a".repeat(99) + "\n", "b".repeat(9) + "\n");
    }
    assertThat(manifest.val().bytes()).isEqualTo(110);
    assertThat(manifest.val().documents()).isEqualTo(2);
  }

  @Test
  void nothingIsHeldOutOfAFractionOfZero() throws Exception {
    var manifest = prepare(documents(30, 100), BYTES, 0, 1_000_000).manifest();
    assertThat(manifest.heldOut()).isEqualTo(Manifest.HeldOut.NOTHING);
    assertThat(manifest.val().tokens()).isZero();
    assertThat(manifest.train().documents()).isEqualTo(30);
  }

  @Test
  void aLongDocumentHasTheTokensOfItsWhole() throws Exception {
    var random = new Random(3);
    var text = IntStream.range(0, 300_000).mapToObj(_ -> Long.toString(random.nextInt(50_000), 36)).collect(Collectors.joining(" "));
    prepare(List.of(text), GPT2, 0, 1_000_000);
    try (var dataset = Dataset.open(out)) {
      var tokens = new char[(int) dataset.train().tokens()];
      dataset.train().read(0, tokens, tokens.length);
      var expected = GPT2.encode(text);
      assertThat(tokens.length).isEqualTo(expected.length + 1);
      assertThat(tokens[0]).isEqualTo((char) GPT2.endOfText());
      assertThat(IntStream.range(0, expected.length).allMatch(i -> tokens[i + 1] == expected[i])).isTrue();
    }
  }

  @Test
  void realTextKeepsItsTokens() throws Exception {
    var data = System.getenv("WALSH_DATA");
    Assumptions.assumeTrue(data != null, "WALSH_DATA, a folder with corpus/shakespeare.txt.xz, is not set");
    var file = Path.of(data, "corpus", "shakespeare.txt.xz");
    var text = new StringBuilder();
    Corpus.of(List.of(file.toString())).read(piece -> text.append(new String(piece.text(), UTF_8)));
    var result = prepare(Corpus.of(List.of(file.toString())), GPT2, 0.1, 100_000, false);
    assertThat(result.bytes()).isEqualTo(text.toString().getBytes(UTF_8).length);
    try (var dataset = Dataset.open(out)) {
      assertThat(String.join("", texts(dataset.train(), GPT2)) + String.join("", texts(dataset.val(), GPT2))).isEqualTo(text.toString());
    }
  }

  @Test
  void textThatIsNotUtf8IsNamedWithItsByteAndLeavesNothing() throws Exception {
    var file = folder.resolve("latin1.txt");
    var text = "word ".repeat(100_000).getBytes(UTF_8);
    text[412_345] = (byte) 0xE9;
    Files.write(file, text);
    assertThatThrownBy(() -> prepare(Corpus.of(List.of(file.toString())), GPT2, 0.1, 1000, false)).isInstanceOf(UserError.class).hasMessage(
        "The text of %s is not UTF-8 at byte 412,345, and the gpt2 tokenizer needs that: convert it (iconv -t UTF-8) or use --tokenizer bytes."
            .formatted(file));
    assertThat(out).doesNotExist();
    assertThat(names(out.resolveSibling("."))).isEmpty();
    assertThat(prepare(Corpus.of(List.of(file.toString())), BYTES, 0.1, 1_000_000, false).bytes()).isEqualTo(500_000);
  }

  @Test
  void noTextAtAllIsAUsersError() throws Exception {
    var file = Files.writeString(folder.resolve("empty.txt"), "\n \n");
    assertThatThrownBy(() -> prepare(Corpus.of(List.of(file.toString())), BYTES, 0.1, 1000, false)).isInstanceOf(UserError.class)
        .hasMessage(
            "There is no text in empty.txt: give at least one file that is not empty.");
    assertThat(names(out.resolveSibling("."))).isEmpty();
  }

  @Test
  void aFolderThatIsNotEmptyIsLeftAloneUnlessForced() throws Exception {
    var documents = documents(30, 100);
    prepare(documents, BYTES, 0.1, 1000);
    var foreign = Files.writeString(out.resolve("notes.txt"), "mine");
    var before = contents();
    assertThatThrownBy(() -> prepare(documents, GPT2, 0.1, 1000)).isInstanceOf(UserError.class).hasMessage(
        "The folder %s is not empty: choose another --out, or add --force to replace the dataset in it.".formatted(out));
    assertThat(contents()).isEqualTo(before);

    var replaced = prepare(corpus(documents), GPT2, 0.1, 1_000_000, true).manifest();
    var expected = new HashSet<>(replaced.files());
    expected.add("notes.txt");
    assertThat(names(out)).isEqualTo(expected);
    assertThat(foreign).hasContent("mine");
    assertThat(names(out.resolveSibling("."))).containsExactly("dataset");
    try (var dataset = Dataset.open(out)) {
      dataset.verify();
    }
  }

  @Test
  void aFailureHarmsNoEarlierDataset() throws Exception {
    prepare(documents(30, 100), BYTES, 0.1, 1000);
    var before = contents();
    var bad = Files.write(folder.resolve("bad.txt"), new byte[] {(byte) 0xFF});
    assertThatThrownBy(() -> prepare(Corpus.of(List.of(bad.toString())), GPT2, 0.1, 1000, true)).isInstanceOf(UserError.class);
    assertThat(contents()).isEqualTo(before);
    assertThat(names(out.resolveSibling("."))).containsExactly("dataset");
  }

  @Test
  void foreignShardsAreNeverReplaced() throws Exception {
    Files.createDirectories(out);
    Files.writeString(out.resolve("train-00000.bin"), "not ours");
    assertThatThrownBy(() -> prepare(corpus(documents(30, 100)), BYTES, 0.1, 1000, true)).isInstanceOf(UserError.class).hasMessage(
        "The file %s is not of a dataset that walsh made, so it is not replaced: choose another --out, or move it away."
            .formatted(out.resolve(
                "train-00000.bin")));
    assertThat(out.resolve("train-00000.bin")).hasContent("not ours");
  }

  @Test
  void anInterruptLeavesNothing() throws Exception {
    var corpus = corpus(documents(100, 20_000));
    var failure = new Throwable[1];
    var thread = Thread.ofPlatform().start(() -> {
      try {
        Thread.currentThread().interrupt();
        prepare(corpus, GPT2, 0.1, 1000, false);
      } catch (Throwable thrown) {
        failure[0] = thrown;
      }
    });
    thread.join();
    assertThat(failure[0]).isInstanceOf(InterruptedException.class);
    assertThat(names(out.resolveSibling("."))).isEmpty();
  }

  @Test
  void outputsThatCannotBeAreRefused() throws Exception {
    var file = Files.writeString(folder.resolve("text.txt"), "text");
    var corpus = Corpus.of(List.of(file.toString()));
    assertThatThrownBy(() -> new Preparation(corpus, file, BYTES).run(Progress.quiet())).isInstanceOf(UserError.class).hasMessage(
        "The output folder %s holds an input: choose an --out outside of the text.".formatted(file));
    var other = Files.writeString(folder.resolve("other"), "text");
    assertThatThrownBy(() -> new Preparation(corpus, other, BYTES).run(Progress.quiet())).isInstanceOf(UserError.class).hasMessage(
        "The output %s is a file: give a folder to --out.".formatted(other));
    assertThatThrownBy(() -> new Preparation(corpus, other.resolve("in"), BYTES).run(Progress.quiet())).isInstanceOf(UserError.class)
        .hasMessageMatching(
            "Cannot write \\Q%s\\E \\(.+\\): about [\\d,]+ bytes are needed there, so make room or choose another --out; nothing half-written is left\\."
                .formatted(other.resolve("in")));
    assertThatThrownBy(() -> new Preparation(corpus, out, BYTES, 0.6, 1, false)).isInstanceOf(UserError.class).hasMessage(
        "The fraction to hold out is 0.6: give --val-fraction a number from 0 to 0.5.");
    assertThatThrownBy(() -> new Preparation(corpus, out, BYTES, 0.1, 0, false)).isInstanceOf(UserError.class).hasMessage(
        "A shard of 0 tokens cannot be: give --shard-tokens at least 1.");
  }

  private Preparation.Result prepare(List<String> documents, Tokenizer tokenizer, double fraction, int shardTokens) throws Exception {
    return prepare(corpus(documents), tokenizer, fraction, shardTokens, false);
  }

  private Preparation.Result prepare(Corpus corpus, Tokenizer tokenizer, double fraction, int shardTokens, boolean force) throws Exception {
    return new Preparation(corpus, out, tokenizer, fraction, shardTokens, force).run(Progress.quiet());
  }

  private Corpus corpus(List<String> documents) throws IOException {
    var file = Files.createTempFile(folder, "text", ".txt");
    Files.writeString(file, String.join("<|endoftext|>\n", documents));
    return Corpus.of(List.of(file.toString()));
  }

  /** Different texts of words of many lengths, some with the separator inside a line; all but the last end with a line. */
  private static List<String> documents(int count, int words) {
    var random = new Random(7);
    return IntStream.range(0, count)
        .mapToObj(i -> i + random.ints(random.nextInt(words) + 1, 0, 1 << 20).mapToObj(n -> Integer.toString(n, 36))
            .collect(Collectors.joining(" ", " é <|endoftext|> ", i < count - 1 ? "\n" : "")))
        .toList();
  }

  /** The documents of a split, which follow the end-of-text tokens. */
  private static List<String> texts(Split split, Tokenizer tokenizer) {
    var tokens = new char[(int) split.tokens()];
    split.read(0, tokens, tokens.length);
    var documents = new ArrayList<String>();
    int start = 1;
    for (int i = 1; i <= tokens.length; i++) {
      if (i == tokens.length || tokens[i] == tokenizer.endOfText()) {
        documents.add(tokenizer.decode(IntStream.range(start, i).map(t -> tokens[t]).toArray()));
        start = i + 1;
      }
    }
    return documents;
  }

  private Set<String> held(Preparation.Result result) {
    try (var dataset = Dataset.open(out)) {
      return Set.copyOf(texts(dataset.val(), Tokenizer.of(result.manifest().tokenizer())));
    }
  }

  private static Set<String> names(Path of) throws IOException {
    try (Stream<Path> files = Files.list(of)) {
      return files.map(file -> file.getFileName().toString()).collect(Collectors.toSet());
    }
  }

  private Set<String> contents() throws IOException {
    var contents = new HashSet<String>();
    for (var name : names(out)) {
      contents.add(name + Sha256.of(out.resolve(name)));
    }
    return contents;
  }
}
