package dev.walsh.eval;

import dev.walsh.config.Projection;
import dev.walsh.generate.Generator;
import dev.walsh.generate.Sampler;
import dev.walsh.model.Gpt;
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

  private static String written(String prompt, int tokens) {
    var text = new StringBuilder();
    int unused = new Generator(MODEL, Device.CPU, BYTES, new Sampler(0, 0, 1, 0)).generate(prompt, tokens, text::append);
    return text.toString();
  }

  @Test
  void itWritesTheLikeliestTokensUntilAStop() {
    var all = written("abcdef", 10);
    assertThat(ASKED.generateUntil("abcdef", List.of(), 10)).isEqualTo(all).isNotEmpty();
    var stop = all.substring(all.length() / 2, all.length() / 2 + 1);
    assertThat(ASKED.generateUntil("abcdef", List.of("never there", "", stop), 10)).isEqualTo(all.substring(0, all.indexOf(stop)));
  }

  @Test
  void theContextLeavesRoomForTheAnswer() {
    // The model reads 16 tokens, so that of the context the last 12 stay.
    assertThat(ASKED.generateUntil("0123456789abcdefghij", List.of(), 4)).isEqualTo(written("89abcdefghij", 4));
    assertThatThrownBy(() -> ASKED.generateUntil("a", List.of(), 16)).isInstanceOf(IllegalArgumentException.class);
  }
}
