package dev.walsh.eval;

import dev.walsh.config.Projection;
import dev.walsh.generate.Generator;
import dev.walsh.generate.Request;
import dev.walsh.generate.Sampling;
import dev.walsh.generate.TextReader;
import dev.walsh.model.Gpt;
import dev.walsh.model.KvCache;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import dev.walsh.text.Tokenizer;
import dev.walsh.train.TinyRun;
import java.util.List;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class LanguageModelTest {
  private static final Tokenizer BYTES = Tokenizer.of("bytes");
  private static final Gpt MODEL = new Gpt(TinyRun.MODEL.with(Projection.named("hadamard")), new Weights(Device.CPU, Dtype.F32, 5));
  private static final LanguageModel ASKED = new LanguageModel(MODEL, BYTES, Device.CPU);

  private static String written(String prompt, int tokens) throws InterruptedException {
    var text = new StringBuilder();
    var reader = new TextReader(BYTES, text::append);
    try (var state = KvCache.of(MODEL, 1, MODEL.config().context(), Long.MAX_VALUE);
        var generator = new Generator(MODEL, state, 4, 1, false)) {
      var request = new Request(BYTES.encode(prompt), tokens, BYTES.endOfText(), Sampling.GREEDY, 0);
      generator.submit(request, reader).result().join();
      reader.await();
    }
    return text.toString();
  }

  @Test
  void itWritesTheLikeliestTokensUntilAStop() throws InterruptedException {
    var all = written("abcdef", 10);
    assertThat(ASKED.generateUntil("abcdef", List.of(), 10)).isEqualTo(all).isNotEmpty();
    var stop = all.substring(all.length() / 2, all.length() / 2 + 1);
    assertThat(ASKED.generateUntil("abcdef", List.of("never there", "", stop), 10)).isEqualTo(all.substring(0, all.indexOf(stop)));
  }

  @Test
  void theContextLeavesRoomForTheAnswer() throws InterruptedException {
    // The model reads 16 tokens, so that of the context the last 12 stay.
    assertThat(ASKED.generateUntil("0123456789abcdefghij", List.of(), 4)).isEqualTo(written("89abcdefghij", 4));
    assertThatThrownBy(() -> ASKED.generateUntil("a", List.of(), 16)).isInstanceOf(IllegalArgumentException.class);
  }
}
