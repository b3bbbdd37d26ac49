package dev.walsh.study.recall;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.UserError;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class AssociativeRecallTest {
  @Property(tries = 60)
  void everyTextSaysWhatItAsksFor(@ForAll @IntRange(min = 1, max = 12) int pairs, @ForAll @IntRange(max = 30) int spare,
      @ForAll @IntRange(max = 40) int more, @ForAll long seed) {
    var task = new AssociativeRecall(pairs, 4 * pairs + spare, 2 * (pairs + 1) + more);
    var texts = task.draw(5, new SplittableRandom(seed));
    RecallBenchmark.verify(task, texts);
    int first = task.vocabulary() / 2;
    assertThat(LongStream.of(texts.answers())).allMatch(value -> value >= first && value < task.vocabulary());
    for (int text = 0; text < 5; text++) {
      int start = text * task.length();
      var asked = Arrays.copyOfRange(texts.asked(), text * pairs, (text + 1) * pairs);
      assertThat(asked).doesNotHaveDuplicates();
      assertThat(LongStream.of(asked)).allMatch(at -> at >= start + 2L * pairs && at < start + task.length());
      var keys = LongStream.of(asked).map(at -> texts.ids()[(int) at]).sorted().toArray();
      assertThat(keys).doesNotHaveDuplicates()
          .isEqualTo(IntStream.range(0, pairs).mapToLong(i -> texts.ids()[start + 2 * i]).sorted().toArray());
      assertThat(LongStream.of(keys)).allMatch(key -> key >= 1 && key < first);
      var later = Arrays.copyOfRange(texts.ids(), start + 2 * pairs, start + task.length());
      assertThat(LongStream.of(later).filter(id -> id != 0)).as("no value is said").hasSize(pairs);
    }
  }

  @Test
  void nearPlacesAreLikelier() {
    var task = new AssociativeRecall(1, 42, 16);
    var texts = task.draw(4000, new SplittableRandom(1));
    long nearest = IntStream.range(0, 4000).filter(i -> texts.asked()[i] == i * 42L + 2).count();
    // One over the twentieth harmonic number.
    assertThat(nearest / 4000.0).isBetween(0.25, 0.31);
  }

  @Test
  void whatCannotBeIsRefused() {
    assertThatThrownBy(() -> new AssociativeRecall(0, 8, 16)).isInstanceOf(UserError.class).hasMessageContaining("must be positive");
    assertThatThrownBy(() -> new AssociativeRecall(4, 15, 16)).isInstanceOf(UserError.class).hasMessageContaining("give at least 16");
    assertThatThrownBy(() -> new AssociativeRecall(8, 64, 17)).isInstanceOf(UserError.class).hasMessageContaining("has 7 keys")
        .hasMessageContaining("give at least 18");
  }

  /** One key has one value, which needs no recall but to say the only value of the text. */
  @Test
  void aModelLearnsWhatIsEasyAndTheSameSeedRepeatsIt() {
    var benchmark = new RecallBenchmark(1, 16, 2, 60, 32, List.of(1e-6, 2e-2), 1);
    var task = new AssociativeRecall(1, 4, 8);
    for (AttentionKind kind : List.of(new AttentionKind.Softmax(), new AttentionKind.Hadamard(2, 4))) {
      var row = benchmark.run(kind, task, Device.CPU, Dtype.F32);
      assertThat(row.accuracy()).as(kind.name()).isGreaterThan(0.95);
      assertThat(row.learningRate()).isEqualTo(2e-2);
      assertThat(benchmark.run(kind, task, Device.CPU, Dtype.F32).loss()).isEqualTo(row.loss());
    }
    assertThat(RecallBenchmark.guess(new AssociativeRecall(4, 16, 16))).isEqualTo(0.25);
  }
}
