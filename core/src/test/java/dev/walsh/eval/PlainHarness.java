package dev.walsh.eval;

import dev.walsh.model.Gpt;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * lm-evaluation-harness's formulas once more, as plain loops over one sequence at a time and without anything of the eval room: what its scores
 * are held against.
 */
final class PlainHarness {
  private final Gpt model;
  private final Tokenizer tokenizer;
  private final int context;
  private final int vocabulary;

  PlainHarness(Gpt model, Tokenizer tokenizer) {
    this.model = model;
    this.tokenizer = tokenizer;
    context = model.config().context();
    vocabulary = model.config().paddedVocabulary();
  }

  /** What a model says of some tokens. */
  record Answer(double nats, boolean greedy) {}

  /** The log-probability of each of the last {@code scored} tokens of a sequence given all before it, and whether each is likeliest. */
  Answer last(List<Integer> tokens, int scored) {
    long[] read = tokens.subList(0, tokens.size() - 1).stream().mapToLong(Integer::longValue).toArray();
    double[] logits;
    try (var scope = Scope.withoutGradients()) {
      var hidden = model.hidden(Memory.tensor(read, 1, read.length));
      logits = Memory.doubles(model.logits(hidden.narrow(1, read.length - scored, scored)));
    }
    double nats = 0;
    boolean greedy = true;
    for (int i = 0; i < scored; i++) {
      var row = Arrays.copyOfRange(logits, i * vocabulary, (i + 1) * vocabulary);
      double largest = Arrays.stream(row).max().orElseThrow();
      double sum = 0;
      for (double logit : row) sum += Math.exp(logit - largest);
      int target = tokens.get(tokens.size() - scored + i);
      nats += row[target] - largest - Math.log(sum);
      greedy &= row[target] == largest;
    }
    return new Answer(nats, greedy);
  }

  private List<Integer> encode(String text) {
    return Arrays.stream(tokenizer.encode(text)).boxed().toList();
  }

  /** loglikelihood: the continuation is what the whole text has behind as many tokens as its context, without white space, has. */
  Answer logLikelihood(String context, String continuation) {
    var bare = context.stripTrailing();
    var moved = context.substring(bare.length()) + continuation;
    var before = bare.isEmpty() ? List.of(tokenizer.endOfText()) : encode(bare);
    var whole = encode(bare + moved);
    var after = bare.isEmpty() ? whole : whole.subList(before.size(), whole.size());
    var all = new ArrayList<>(before);
    all.addAll(after);
    int most = this.context + 1;
    var kept = all.subList(Math.max(0, all.size() - most), all.size());
    return last(kept, Math.min(after.size(), kept.size() - 1));
  }

  boolean isTruncated(String context, String continuation) {
    int prefix = context.isBlank() ? 1 : 0;
    return prefix + encode(context + continuation).size() > this.context + 1;
  }

  /** loglikelihood_rolling, a token at a time: each is scored in the window that its place belongs to. */
  double rolling(String text) {
    var tokens = new ArrayList<>(List.of(tokenizer.endOfText()));
    tokens.addAll(encode(text));
    int predicted = tokens.size() - 1;
    double nats = 0;
    for (int i = 1; i <= predicted; i++) {
      int window = (i - 1) / context;
      int end = Math.min(predicted, (window + 1) * context);
      int begin = Math.max(0, end - context);
      nats += last(tokens.subList(begin, i + 1), 1).nats();
    }
    return nats;
  }

  /** The index of the largest value, the first of equals. */
  static int argmax(double... values) {
    return IntStream.range(0, values.length).reduce((best, i) -> values[i] > values[best] ? i : best).orElseThrow();
  }
}
