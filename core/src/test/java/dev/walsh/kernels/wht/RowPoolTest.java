package dev.walsh.kernels.wht;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class RowPoolTest {
  private static final long LARGE = 1 << 20;
  private static final long LITTLE = 1 << 16;

  private static int[] times(RowPool pool, int rows) {
    var times = new AtomicIntegerArray(rows);
    pool.run(rows, LARGE, (_, from, to) -> {
      for (long row = from; row < to; row++) times.incrementAndGet((int) row);
    });
    return IntStream.range(0, rows).map(times::get).toArray();
  }

  @ParameterizedTest
  @CsvSource({"1,10", "2,2", "3,1000", "4,5", "2,0", "7,3"})
  void everyRowIsTakenOnce(int threads, int rows) {
    for (int i = 0; i < 100; i++)
      assertThat(times(RowPool.of(threads), rows)).hasSize(rows).containsOnly(rows == 0 ? new int[0] : new int[] {1});
  }

  @Test
  void aSleepingWorkerIsWoken() throws InterruptedException {
    for (int i = 0; i < 5; i++) {
      Thread.sleep(5);
      assertThat(times(RowPool.of(3), 9)).containsOnly(1);
    }
  }

  @Test
  void littleIsCutAlikeWhetherThreadsSleepOrLookOut() throws InterruptedException {
    Thread.sleep(5);
    var asleep = chunks(RowPool.of(3), 9);
    assertThat(times(RowPool.of(3), 9)).as("now they look out").containsOnly(1);
    assertThat(chunks(RowPool.of(3), 9)).isEqualTo(asleep).containsExactly(0, 0, 0, 1, 1, 1, 2, 2, 2);
  }

  /** The chunk of each row of a small task. */
  private static int[] chunks(RowPool pool, int rows) {
    var chunks = new int[rows];
    pool.run(rows, LITTLE, (chunk, from, to) -> Arrays.fill(chunks, (int) from, (int) to, chunk));
    return chunks;
  }

  @ParameterizedTest
  @CsvSource({"0", "1", "2"})
  void theExceptionOfAChunkIsThrown(int chunk) {
    assertThatThrownBy(() -> RowPool.of(3).run(9, LARGE, (at, _, _) -> {
      if (at == chunk) throw new IllegalStateException("chunk " + at);
    })).isInstanceOf(IllegalStateException.class).hasMessage("chunk " + chunk);
    assertThat(times(RowPool.of(3), 9)).as("afterwards").containsOnly(1);
  }

  @Test
  void aTaskMayUseThePoolItself() {
    var times = new AtomicIntegerArray(8 * 8);
    RowPool.of(2).run(8, LARGE, (_, from, to) -> {
      for (long row = from; row < to; row++) {
        int first = (int) row * 8;
        RowPool.of(2).run(8, LARGE, (_, begin, end) -> {
          for (long i = begin; i < end; i++) times.incrementAndGet(first + (int) i);
        });
      }
    });
    assertThat(IntStream.range(0, 64).map(times::get)).containsOnly(1);
  }

  @Test
  void manyThreadsMayUseItAtOnce() {
    assertThat(IntStream.range(0, 200).parallel().allMatch(_ -> IntStream.of(times(RowPool.of(2), 50)).allMatch(n -> n == 1))).isTrue();
  }
}
