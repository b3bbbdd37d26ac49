package dev.walsh.eval;

import dev.walsh.config.Json;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.config.UserError;
import dev.walsh.measure.Progress;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import dev.walsh.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

/** Scores are those of {@link PlainHarness}, item by item and as a whole. */
final class EvaluationTest {
  private static final List<String> WORDS = List.of("the", "stone", "is", "river", "Ω", "naïve", "signs,", "unbelievable", "world", "2024",
      "a");
  private static final int ITEMS = 12;
  private static final int TEXTS = 6;

  @TempDir
  Path temp;

  private final Random random = new Random(11);

  private static Gpt model(Tokenizer tokenizer, int context) {
    return new Gpt(new ModelConfig(2, 16, 2, 24, context, tokenizer.vocabulary(), Projection.named("hadamard")),
        new Weights(Device.CPU, Dtype.F64, 5));
  }

  private static int context(Tokenizer tokenizer) {
    return tokenizer.name().equals("bytes") ? 48 : 12;
  }

  private String words(int most) {
    return IntStream.rangeClosed(0, random.nextInt(most)).mapToObj(_ -> WORDS.get(random.nextInt(WORDS.size())))
        .collect(Collectors.joining(" "));
  }

  private Path write(String name, Iterable<String> lines) throws IOException {
    return Files.write(temp.resolve(name), lines, UTF_8);
  }

  private static String json(Object... namesAndValues) {
    var values = Json.LINE.createObjectNode();
    for (int i = 0; i < namesAndValues.length; i += 2) values.putPOJO((String) namesAndValues[i], namesAndValues[i + 1]);
    return Json.LINE.writeValueAsString(values);
  }

  private static List<TaskResult> run(Gpt model, Tokenizer tokenizer, List<Task> tasks, List<ItemResult> items) {
    return Evaluation.run(new LanguageModel(model, tokenizer, Device.CPU, 100), tasks, Progress.quiet(), () -> false, items::add);
  }

  private static void isCloseTo(List<Double> found, double... wanted) {
    assertThat(found).hasSize(wanted.length);
    for (int i = 0; i < wanted.length; i++) assertThat(found.get(i)).isCloseTo(wanted[i], within(1e-9));
  }

  @ParameterizedTest
  @ValueSource(strings = {"bytes", "gpt2"})
  void choicesAreComparedAsAWholeAndByTheirBytes(String name) throws IOException {
    var tokenizer = Tokenizer.of(name);
    var model = model(tokenizer, context(tokenizer));
    var plain = new PlainHarness(model, tokenizer);
    var lines = new ArrayList<String>();
    var nats = new ArrayList<double[]>();
    double[] right = new double[ITEMS];
    double[] rightAByte = new double[ITEMS];
    double chance = 0;
    int truncated = 0;
    for (int i = 0; i < ITEMS; i++) {
      var query = i == 0 ? "" : words(9) + (i % 3 == 0 ? " \n" : "");
      var choices = IntStream.range(0, 2 + i % 3).mapToObj(_ -> words(5)).toList();
      int gold = random.nextInt(choices.size());
      lines.add(json("query", query, "choices", choices, "gold", gold, "ignored", 1));
      double[] own = choices.stream().mapToDouble(choice -> plain.logLikelihood(query, " " + choice).nats()).toArray();
      double[] aByte = IntStream.range(0, own.length).mapToDouble(c -> own[c] / choices.get(c).getBytes(UTF_8).length).toArray();
      nats.add(own);
      right[i] = PlainHarness.argmax(own) == gold ? 1 : 0;
      rightAByte[i] = PlainHarness.argmax(aByte) == gold ? 1 : 0;
      chance += 1.0 / choices.size() / ITEMS;
      truncated += choices.stream().anyMatch(choice -> plain.isTruncated(query, " " + choice)) ? 1 : 0;
    }
    var items = new ArrayList<ItemResult>();
    var result = run(model, tokenizer, Tasks.open(temp, List.of(write("own.jsonl", lines).toString())), items).getFirst();
    for (int i = 0; i < ITEMS; i++) {
      isCloseTo(items.get(i).logLikelihoods(), nats.get(i));
      assertThat(items.get(i).scores()).containsEntry("acc", right[i]).containsEntry("acc_norm", rightAByte[i]);
      assertThat(items.get(i).line()).isEqualTo(i + 1);
    }
    assertThat(result.items()).isEqualTo(ITEMS);
    assertThat(result.truncated()).isEqualTo(truncated).isBetween(1, ITEMS - 1);
    assertThat(result.scores().keySet()).containsExactly("acc", "acc_norm");
    isMean(result.score("acc"), right);
    isMean(result.score("acc_norm"), rightAByte);
    assertThat(result.score("acc").chance()).isCloseTo(chance, within(1e-12));
  }

  private static void isMean(Score score, double[] values) {
    double mean = Arrays.stream(values).average().orElseThrow();
    double squares = Arrays.stream(values).map(value -> Math.pow(value - mean, 2)).sum();
    assertThat(score.value()).isCloseTo(mean, within(1e-12));
    assertThat(score.error()).isCloseTo(Math.sqrt(squares / (values.length - 1) / values.length), within(1e-12));
  }

  @ParameterizedTest
  @ValueSource(strings = {"bytes", "gpt2"})
  void continuationsHavePerplexityAndGreedyMatches(String name) throws IOException {
    var tokenizer = Tokenizer.of(name);
    var model = model(tokenizer, context(tokenizer));
    var plain = new PlainHarness(model, tokenizer);
    var lines = new ArrayList<String>();
    double[] nats = new double[ITEMS];
    for (int i = 0; i < ITEMS; i++) {
      var context = words(12);
      var continuation = (i == 3 ? "\n\n" : "") + words(1);
      lines.add(json("context", context, "continuation", continuation));
      nats[i] = plain.logLikelihood(context, " " + continuation).nats();
    }
    var items = new ArrayList<ItemResult>();
    var result = run(model, tokenizer, Tasks.open(temp, List.of(write("own.jsonl", lines).toString())), items).getFirst();
    for (int i = 0; i < ITEMS; i++) isCloseTo(items.get(i).logLikelihoods(), nats[i]);
    assertThat(result.scores().keySet()).containsExactly("acc", "perplexity");
    double perplexity = Math.exp(-Arrays.stream(nats).average().orElseThrow());
    assertThat(result.score("perplexity").value()).isCloseTo(perplexity, within(1e-9 * perplexity));
    assertThat(result.score("perplexity").error()).isPositive();
    assertThat(result.score("acc").chance()).isNull();
    isMean(result.score("acc"), items.stream().mapToDouble(item -> item.greedy().getFirst() ? 1 : 0).toArray());
  }

  @ParameterizedTest
  @ValueSource(strings = {"bytes", "gpt2"})
  void textsAreScoredInWindows(String name) throws IOException {
    var tokenizer = Tokenizer.of(name);
    var model = model(tokenizer, context(tokenizer));
    var plain = new PlainHarness(model, tokenizer);
    var texts = IntStream.range(0, TEXTS).mapToObj(i -> i == 5 ? " " : words(20) + "\n").toList();
    double[] nats = texts.stream().mapToDouble(plain::rolling).toArray();
    var items = new ArrayList<ItemResult>();
    var lines = texts.stream().map(text -> json("text", text)).toList();
    var result = run(model, tokenizer, Tasks.open(temp, List.of(write("own.jsonl", lines).toString())), items).getFirst();
    for (int i = 0; i < TEXTS; i++) isCloseTo(items.get(i).logLikelihoods(), nats[i]);
    double sum = Arrays.stream(nats).sum();
    int bytes = texts.stream().mapToInt(text -> text.getBytes(UTF_8).length).sum();
    int words = texts.stream().mapToInt(text -> text.split("\\s+", -1).length).sum();
    assertThat(result.scores().keySet()).containsExactly("word_perplexity", "byte_perplexity", "bits_per_byte");
    assertThat(result.score("word_perplexity").value() / Math.exp(-sum / words)).isCloseTo(1, within(1e-9));
    assertThat(result.score("byte_perplexity").value()).isCloseTo(Math.exp(-sum / bytes), within(1e-9));
    assertThat(result.score("bits_per_byte").value()).isCloseTo(-sum / bytes / Math.log(2), within(1e-9));
    assertThat(result.score("bits_per_byte").error()).isPositive();
    assertThat(result.truncated()).isZero();
  }

  @Test
  void twoModelsThatDifferInBatchesAgree() throws IOException {
    var tokenizer = Tokenizer.of("bytes");
    var model = model(tokenizer, 48);
    var lines = IntStream.range(0, ITEMS).mapToObj(_ -> json("context", words(9), "continuation", words(2))).toList();
    var tasks = Tasks.open(temp, List.of(write("own.jsonl", lines).toString()));
    var few = run(model, tokenizer, tasks, new ArrayList<>()).getFirst().score("perplexity");
    var all = Evaluation.run(model, tokenizer, Device.CPU, tasks, Progress.quiet()).getFirst().score("perplexity");
    assertThat(all.value()).isCloseTo(few.value(), within(1e-9 * few.value()));
  }

  @Test
  void aResultIsJson() {
    var tokenizer = Tokenizer.of("bytes");
    var set = new Task.ItemSet("", "file", List.of(new Item.Choices(1, "a", List.of("b", "cc"), 1)));
    var items = new ArrayList<ItemResult>();
    var result = run(model(tokenizer, 48), tokenizer, List.of(new Task("t", "1", null, true, List.of(set))), items).getFirst();
    assertThat(result.score("acc").error()).isNaN();
    assertThat(Json.LINE.readValue(Json.LINE.writeValueAsString(result), TaskResult.class)).isEqualTo(result);
    assertThat(Json.LINE.readValue(Json.LINE.writeValueAsString(items.getFirst()), ItemResult.class)).isEqualTo(items.getFirst());
  }

  @Test
  void aSetOfEachPartIsScoredToo() {
    var tokenizer = Tokenizer.of("bytes");
    var sets = IntStream.range(0, 2).mapToObj(s -> new Task.ItemSet("set" + s, "file",
        IntStream.range(0, 3 + s).<Item>mapToObj(i -> new Item.Choices(i + 1, "", List.of("ab", words(3)), (i + s) % 2)).toList()))
        .toList();
    var items = new ArrayList<ItemResult>();
    var result = run(model(tokenizer, 48), tokenizer, List.of(new Task("t", "1", null, false, sets)), items).getFirst();
    assertThat(result.scores().keySet()).containsExactly("acc", "acc/set0", "acc/set1");
    var values = IntStream.range(0, 2).mapToObj(s -> items.stream().filter(item -> item.set().equals("set" + s))
        .mapToDouble(item -> Objects.requireNonNull(item.scores().get("acc"))).toArray()).toList();
    for (int s = 0; s < 2; s++) isMean(result.score("acc/set" + s), values.get(s));
    double mean = values.stream().mapToDouble(set -> Arrays.stream(set).average().orElseThrow()).average().orElseThrow();
    assertThat(result.score("acc").value()).isCloseTo(mean, within(1e-12));
    assertThat(result.items()).isEqualTo(7);
  }

  @Test
  void amongEqualsTheFirstIsTakenAndNaNIsNoAnswer() {
    var item = new Item.Choices(1, "", List.of("a", "b"), 1);
    assertThat(new Scored(item, List.of(answer(-1), answer(-1))).right(false)).isZero();
    assertThat(new Scored(item, List.of(answer(-1), answer(-0.5))).right(false)).isEqualTo(1);
    assertThat(new Scored(item, List.of(answer(-1), answer(Double.NaN))).right(true)).isNaN();
    assertThat(new Scored(new Item.Continuation(1, "", "a"), List.of(answer(Double.NaN))).greedy()).isNaN();
  }

  private static LogLikelihood answer(double nats) {
    return new LogLikelihood(nats, true, 1, false);
  }

  @Test
  void anotherTokenizerIsAMistake() {
    var bytes = Tokenizer.of("bytes");
    var model = model(bytes, 48);
    assertThatThrownBy(() -> Evaluation.run(model, Tokenizer.of("gpt2"), Device.CPU, List.of(), Progress.quiet()))
        .isInstanceOf(UserError.class).hasMessageContaining("257").hasMessageContaining("50257");
  }

  @Test
  void aContinuationThatAddsNoTokenIsAMistake() {
    var requests = List.of(new LanguageModel.Request("a", " b"), new LanguageModel.Request("wor", "ld"));
    var tokenizer = Tokenizer.of("gpt2");
    var asked = new LanguageModel(model(tokenizer, 12), tokenizer, Device.CPU);
    assertThatThrownBy(() -> asked.logLikelihoods(requests, Progress.quiet(), () -> false)).isInstanceOf(NothingToScoreException.class)
        .extracting(error -> ((NothingToScoreException) error).request()).isEqualTo(1);
  }
}
