package dev.walsh.eval;

import dev.walsh.config.UserError;
import dev.walsh.generate.Generation;
import dev.walsh.generate.Generator;
import dev.walsh.generate.Sampling;
import dev.walsh.generate.TextReader;
import dev.walsh.measure.Progress;
import dev.walsh.model.DecodeState;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;

/**
 * What can be asked of a language model: how likely it finds a continuation, how likely a whole text, and how it goes on. The definitions are
 * those of lm-evaluation-harness's {@code loglikelihood}, {@code loglikelihood_rolling} and {@code generate_until}; the README of this package
 * has them.
 */
public final class LanguageModel {
  /** A continuation to be scored behind its context; an empty context is the beginning of a document. */
  public record Request(String context, String continuation) {}

  private static final int CUDA_BATCH_TOKENS = 1 << 16;
  private static final int CPU_BATCH_TOKENS = 1 << 12;

  private final Gpt model;
  private final Tokenizer tokenizer;
  private final int context;
  private final Encoder encoder;
  private final Scorer scorer;

  /**
   * A model in batches of a size that suits the device.
   *
   * @param device where the weights of the model are
   * @throws UserError where the model was made for another tokenizer
   */
  public LanguageModel(Gpt model, Tokenizer tokenizer, Device device) {
    this(model, tokenizer, device, device == Device.CUDA ? CUDA_BATCH_TOKENS : CPU_BATCH_TOKENS);
  }

  /** @param batchTokens how many tokens the model reads at a time, at least; one sequence may have more */
  public LanguageModel(Gpt model, Tokenizer tokenizer, Device device, int batchTokens) {
    if (tokenizer.vocabulary() != model.config().vocabulary()) {
      throw new UserError("The model knows " + model.config().vocabulary() + " token ids and the tokenizer " + tokenizer.name() + " has "
          + tokenizer.vocabulary() + "; use the tokenizer that the model was trained with");
    }
    if (batchTokens < 1) throw new UserError("a batch of " + batchTokens + " tokens is empty; give at least 1");
    this.model = model;
    this.tokenizer = tokenizer;
    context = model.config().context();
    encoder = new Encoder(tokenizer, context);
    scorer = new Scorer(model, device, batchTokens);
  }

  /** The token that stands before what has no context. */
  public int prefixToken() {
    return tokenizer.endOfText();
  }

  /**
   * How likely each continuation is behind its context.
   *
   * @param progress moves on by one for each request
   * @param stop asked between batches
   * @throws NothingToScoreException where a continuation adds no token to its context
   * @throws CancellationException where {@code stop} says so
   */
  public List<LogLikelihood> logLikelihoods(List<Request> requests, Progress progress, BooleanSupplier stop) {
    var sequences = requests.parallelStream().map(request -> encoder.pair(request.context(), request.continuation())).toList();
    for (int i = 0; i < sequences.size(); i++) {
      if (sequences.get(i).scored() == 0) throw new NothingToScoreException(i);
    }
    return score(sequences.stream().map(List::of).toList(), progress, stop);
  }

  /** How likely each text is as a whole, given nothing but the prefix token; the parameters are those of {@link #logLikelihoods}. */
  public List<LogLikelihood> rolling(List<String> texts, Progress progress, BooleanSupplier stop) {
    return score(texts.parallelStream().map(encoder::windows).toList(), progress, stop);
  }

  /** Scores requests of several sequences each. */
  private List<LogLikelihood> score(List<List<Sequence>> requests, Progress progress, BooleanSupplier stop) {
    var sequences = requests.stream().flatMap(List::stream).toList();
    int[] owner = new int[sequences.size()];
    int[] left = requests.stream().mapToInt(List::size).toArray();
    int at = 0;
    for (int i = 0; i < left.length; i++) {
      Arrays.fill(owner, at, at + left[i], i);
      at += left[i];
    }
    var parts = new LogLikelihood[sequences.size()];
    scorer.score(sequences, stop, (i, scored) -> {
      parts[i] = scored;
      if (--left[owner[i]] == 0) progress.step(1);
    });
    // Added up in their own order, so that the batches leave no trace in the rounding.
    var sums = new ArrayList<LogLikelihood>(requests.size());
    at = 0;
    for (var request : requests) {
      var sum = LogLikelihood.NONE;
      for (int i = 0; i < request.size(); i++) sum = sum.plus(parts[at++]);
      sums.add(sum);
    }
    return sums;
  }

  /**
   * What the model goes on with, always taking the likeliest token.
   *
   * @param context what it goes on from, cut from the left so that {@code tokens} more fit in what the model reads; empty for the beginning of
   *        a document
   * @param stops texts before the first of which the answer ends, as it does before the end of the document
   * @param tokens the most that are made; fewer than the model's context has
   */
  public String generateUntil(String context, List<String> stops, int tokens) {
    if (tokens < 1 || tokens >= this.context) {
      throw new IllegalArgumentException(tokens + " tokens do not fit behind a prompt in a context of " + this.context);
    }
    int[] encoded = tokenizer.encode(context);
    int from = Math.max(0, encoded.length - (this.context - tokens));
    int[] prompt = encoded.length == 0 ? new int[] {prefixToken()} : Arrays.copyOfRange(encoded, from, encoded.length);
    var request = new dev.walsh.generate.Request(prompt, tokens, tokenizer.endOfText(), Sampling.GREEDY, 0);
    var text = new StringBuilder();
    var generation = new CompletableFuture<Generation>();
    var reader = new TextReader(tokenizer, piece -> {
      text.append(piece);
      if (end(text, stops) < text.length()) generation.thenAccept(Generation::cancel);
    });
    try (var state = DecodeState.of(model, 1, this.context, model.device().bytesAvailable());
        var generator = new Generator(model, state, this.context, 1, false)) {
      generation.complete(generator.submit(request, reader));
      reader.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CancellationException("interrupted while the model wrote");
    }
    return text.substring(0, end(text, stops));
  }

  /** Where the first of the stops begins, or the text ends. */
  private static int end(StringBuilder text, List<String> stops) {
    return stops.stream().filter(stop -> !stop.isEmpty()).mapToInt(text::indexOf).filter(i -> i >= 0).min().orElse(text.length());
  }
}
