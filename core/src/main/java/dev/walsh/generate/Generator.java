package dev.walsh.generate;

import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.text.StreamingDecoder;
import dev.walsh.text.Tokenizer;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.Predicate;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

/**
 * A model that goes on with a text, a token at a time. Every token recomputes all that the model sees, which is the last
 * {@code context} tokens: once the context is full, the oldest one leaves it.
 */
public final class Generator {
  /** What is written where one document ends and, if the text goes on, another begins: the line that corpora separate them by. */
  private static final String END_OF_TEXT = "\n<|endoftext|>\n";

  private final Gpt model;
  private final Device device;
  private final Tokenizer tokenizer;
  private final Sampler sampler;

  /** @param device where the weights of the model are */
  public Generator(Gpt model, Device device, Tokenizer tokenizer, Sampler sampler) {
    this.model = model;
    this.device = device;
    this.tokenizer = tokenizer;
    this.sampler = sampler;
  }

  /** Goes on with a prompt until a document ends or {@code tokens} tokens are made; see {@link #generate(int[], int, boolean, Consumer)}. */
  public int generate(String prompt, int tokens, Consumer<String> text) {
    return generate(tokenizer.encode(prompt), tokens, true, text);
  }

  /**
   * Goes on with a prompt.
   *
   * @param prompt tokens, of which the last {@code context} count; none begin a new document
   * @param tokens how many to make at most
   * @param stopAtEnd whether to stop where the model ends a document
   * @param text receives the continuation as it grows, in whole characters
   * @return how many tokens were made, the end of a document being one
   */
  public int generate(int[] prompt, int tokens, boolean stopAtEnd, Consumer<String> text) {
    return run(prompt, tokens, stopAtEnd, piece -> {
      text.accept(piece);
      return true;
    });
  }

  /** Goes on with a prompt until a document ends, {@code tokens} tokens are made, or what receives the continuation says false. */
  public int generateWhile(int[] prompt, int tokens, Predicate<String> text) {
    return run(prompt, tokens, true, text);
  }

  private int run(int[] prompt, int tokens, boolean stopAtEnd, Predicate<String> text) {
    var window = new Window(prompt);
    var decoder = new StreamingDecoder(tokenizer);
    int made = 0;
    boolean goesOn = true;
    for (boolean ended = false; made < tokens && !ended && goesOn; made++) {
      int token = sampler.sample(logits(window), tokenizer.vocabulary());
      window.append(token);
      boolean end = token == tokenizer.endOfText();
      ended = end && stopAtEnd;
      var piece = !end ? decoder.next(token) : decoder.finish() + (stopAtEnd ? "" : END_OF_TEXT);
      if (!piece.isEmpty()) goesOn = text.test(piece);
    }
    var rest = decoder.finish();
    boolean unused = goesOn && !rest.isEmpty() && text.test(rest);
    return made;
  }

  /** The logits of the token that follows, (V). */
  private float[] logits(Window window) {
    try (var scope = Scope.withoutGradients()) {
      var onHost = Memory.tensor(window.tokens(), 1, window.length);
      var ids = device == Device.CPU ? onHost : onHost.to(device.options(Dtype.I64), false, false, null);
      var last = model.hidden(ids).narrow(1, window.length - 1, 1);
      return Memory.of(model.logits(last).to(Dtype.F32.scalarType()).cpu().contiguous()).toArray(JAVA_FLOAT);
    }
  }

  /** The tokens that the model sees, at most its context. */
  private final class Window {
    private final long[] tokens = new long[model.config().context()];
    private int length;

    Window(int[] prompt) {
      for (int i = Math.max(0, prompt.length - tokens.length); i < prompt.length; i++) append(prompt[i]);
      if (length == 0) append(tokenizer.endOfText());
    }

    void append(int token) {
      if (length == tokens.length) System.arraycopy(tokens, 1, tokens, 0, --length);
      tokens[length++] = token;
    }

    long[] tokens() {
      return Arrays.copyOf(tokens, length);
    }
  }
}
