package dev.walsh.eval;

import dev.walsh.model.Gpt;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.LivePointers;
import dev.walsh.tensor.Weights;
import dev.walsh.text.Tokenizer;
import dev.walsh.train.TinyRun;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.stream.IntStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

final class ScorerTest {
  private static final int CONTEXT = TinyRun.MODEL.context();
  private static final Gpt MODEL = new Gpt(TinyRun.MODEL, new Weights(Device.CPU, Dtype.F64, 3));

  private static List<LogLikelihood> score(Gpt model, List<Sequence> sequences, int batchTokens) {
    var found = new LogLikelihood[sequences.size()];
    new Scorer(model, Device.CPU, batchTokens).score(sequences, () -> false, (i, scored) -> found[i] = scored);
    return Arrays.asList(found);
  }

  @Provide
  Arbitrary<List<Sequence>> sequences() {
    var sequence = Arbitraries.integers().between(0, 256).array(int[].class).ofMinSize(2).ofMaxSize(CONTEXT + 1)
        .flatMap(tokens -> Arbitraries.integers().between(1, tokens.length - 1).map(scored -> new Sequence(tokens, scored, false)));
    return sequence.list().ofMinSize(1).ofMaxSize(30);
  }

  @Property(tries = 40)
  void neitherOrderNorBatchesChangeAnything(@ForAll("sequences") List<Sequence> sequences,
      @ForAll @IntRange(min = 1, max = 200) int batchTokens, @ForAll Random random) {
    var alone = score(MODEL, sequences, 1);
    var order = new ArrayList<>(IntStream.range(0, sequences.size()).boxed().toList());
    Collections.shuffle(order, random);
    var batched = score(MODEL, order.stream().map(sequences::get).toList(), batchTokens);
    for (int i = 0; i < order.size(); i++) {
      var wanted = alone.get(order.get(i));
      assertThat(batched.get(i).nats()).isCloseTo(wanted.nats(), within(1e-10));
      assertThat(batched.get(i).greedy()).isEqualTo(wanted.greedy());
      assertThat(batched.get(i).tokens()).isEqualTo(wanted.tokens());
    }
  }

  @Property(tries = 10)
  void theScoresAreThoseOfPlainLoops(@ForAll("sequences") List<Sequence> sequences) {
    var plain = new PlainHarness(MODEL, Tokenizer.of("bytes"));
    var found = score(MODEL, sequences, 64);
    for (int i = 0; i < found.size(); i++) {
      var sequence = sequences.get(i);
      var wanted = plain.last(Arrays.stream(sequence.tokens()).boxed().toList(), sequence.scored());
      assertThat(found.get(i).nats()).isCloseTo(wanted.nats(), within(1e-10));
      assertThat(found.get(i).greedy()).isEqualTo(wanted.greedy());
    }
  }

  @Test
  void whatTheModelItselfWritesIsGreedy() {
    var plain = new PlainHarness(MODEL, Tokenizer.of("bytes"));
    var tokens = new ArrayList<>(List.of(7, 9));
    while (tokens.size() < CONTEXT + 1) {
      int next = 0;
      while (!plain.last(append(tokens, next), 1).greedy())
        next++;
      tokens.add(next);
    }
    int[] written = tokens.stream().mapToInt(Integer::intValue).toArray();
    int[] changed = written.clone();
    changed[5] ^= 1;
    var found = score(MODEL, List.of(new Sequence(changed, CONTEXT - 1, false), new Sequence(written, CONTEXT - 1, false)), 1000);
    assertThat(found).extracting(LogLikelihood::greedy).containsExactly(false, true);
  }

  private static List<Integer> append(List<Integer> tokens, int next) {
    var longer = new ArrayList<>(tokens);
    longer.add(next);
    return longer;
  }

  @Test
  void itStopsBetweenBatches() {
    var sequences = Collections.nCopies(4, new Sequence(new int[] {1, 2, 3}, 1, false));
    int[] done = new int[1];
    assertThatThrownBy(() -> new Scorer(MODEL, Device.CPU, 4).score(sequences, () -> done[0] >= 2, (_, _) -> done[0]++))
        .isInstanceOf(CancellationException.class);
    assertThat(done[0]).isEqualTo(2);
  }

  @Test
  void memoryIsFlatOverBatches() throws InterruptedException {
    var sequence = new Sequence(new int[] {1, 2, 3, 4}, 2, false);
    var few = score(MODEL, Collections.nCopies(3, sequence), 3);
    long before = LivePointers.count();
    var many = score(MODEL, Collections.nCopies(100, sequence), 3);
    assertThat(LivePointers.count()).isEqualTo(before);
    assertThat(many).containsOnly(few.getFirst());
  }
}
