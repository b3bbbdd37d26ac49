package dev.walsh.generate;

import dev.walsh.config.Projection;
import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.LivePointers;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import dev.walsh.text.Tokenizer;
import dev.walsh.train.TinyRun;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Scalar;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

final class GeneratorTest {
  private static final Tokenizer BYTES = Tokenizer.of("bytes");
  private static final int CONTEXT = TinyRun.MODEL.context();

  private final Weights weights = new Weights(Device.CPU, Dtype.F32, 5);
  private final Gpt model = new Gpt(TinyRun.MODEL.with(Projection.named("hadamard")), weights);

  @AfterEach
  void close() {
    weights.close();
  }

  private Generator generator(Sampler sampler) {
    return new Generator(model, Device.CPU, BYTES, sampler);
  }

  private String text(int[] prompt, int tokens, Sampler sampler) {
    var text = new StringBuilder();
    generator(sampler).generate(prompt, tokens, false, text::append);
    return text.toString();
  }

  private static Sampler greedy() {
    return new Sampler(0, 0, 1, 0);
  }

  private static int[] prompt(int length) {
    return IntStream.range(0, length).map(i -> 'a' + i % 26).toArray();
  }

  /** Scales the last norm: 0 makes all tokens equally likely. */
  private void scaleLogits(double factor) {
    try (var scope = Scope.withoutGradients()) {
      weights.all().getLast().value().mul_(new Scalar(factor));
    }
  }

  /** The token of the largest logit after {@code tokens}, computed without a generator. */
  private int likeliest(long[] tokens) {
    try (var scope = Scope.withoutGradients()) {
      var logits = model.logits(model.hidden(Memory.tensor(tokens, 1, tokens.length))).select(1, tokens.length - 1);
      return (int) logits.narrow(1, 0, BYTES.vocabulary()).argmax().item_long();
    }
  }

  @Test
  void theModelSeesTheLastTokensOfItsContext() {
    var tokens = new ArrayList<Integer>();
    for (int token : prompt(CONTEXT - 3)) tokens.add(token);
    var wanted = new ArrayList<Integer>();
    for (int i = 0; i < 12; i++) {
      var seen = tokens.subList(Math.max(0, tokens.size() - CONTEXT), tokens.size());
      int next = likeliest(seen.stream().mapToLong(Integer::longValue).toArray());
      tokens.add(next);
      wanted.add(next);
    }
    var made = text(prompt(CONTEXT - 3), 12, greedy());
    assertThat(made).isEqualTo(BYTES.decode(wanted.stream().mapToInt(Integer::intValue).toArray()));
  }

  @Test
  void ofALongPromptTheEndCounts() {
    var longPrompt = prompt(3 * CONTEXT + 1);
    var end = Arrays.copyOfRange(longPrompt, longPrompt.length - CONTEXT, longPrompt.length);
    assertThat(text(longPrompt, 20, greedy())).isEqualTo(text(end, 20, greedy())).isNotEqualTo(text(prompt(CONTEXT), 20, greedy()));
  }

  @Test
  void anEmptyPromptBeginsADocument() {
    scaleLogits(0.1);
    var text = new StringBuilder();
    int made = generator(new Sampler(1, 0, 1, 4)).generate("", 20, text::append);
    assertThat(made).isGreaterThan(1);
    assertThat(text(new int[] {BYTES.endOfText()}, made, new Sampler(1, 0, 1, 4))).isEqualTo(text.toString());
  }

  @Test
  void theSeedMakesTheText() {
    scaleLogits(0.1);
    var first = text(prompt(4), 40, new Sampler(1, 0, 0.9, 11));
    assertThat(text(prompt(4), 40, new Sampler(1, 0, 0.9, 11))).isEqualTo(first);
    assertThat(text(prompt(4), 40, new Sampler(1, 0, 0.9, 12))).isNotEqualTo(first);
  }

  @Test
  void theEndOfADocumentEndsTheTextUnlessToldOtherwise() {
    scaleLogits(0);
    var pieces = new ArrayList<String>();
    // Of 257 equally likely tokens, one is the end; ids of the padding would be an error.
    int made = generator(new Sampler(1, 0, 1, 2)).generate(prompt(3), 3000, true, pieces::add);
    assertThat(made).isLessThan(3000);
    assertThat(String.join("", pieces)).doesNotContain("<|endoftext|>");
    int all = generator(new Sampler(1, 0, 1, 2)).generate(prompt(3), made + 10, false, pieces::add);
    assertThat(all).isEqualTo(made + 10);
    assertThat(pieces).contains("\n<|endoftext|>\n").doesNotContain("");
  }

  @Test
  void memoryIsFlatOverTokens() throws InterruptedException {
    long[] live = new long[2];
    text(prompt(2), 5, new Sampler(1, 40, 1, 1));
    live[0] = LivePointers.count();
    text(prompt(2), 100, new Sampler(1, 40, 1, 1));
    live[1] = LivePointers.count();
    assertThat(live[1]).isEqualTo(live[0]);
  }
}
