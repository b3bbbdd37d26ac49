package dev.walsh.data;

import dev.walsh.config.UserError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

final class LoaderTest {
  private static final int LENGTH = 7;

  @TempDir
  Path folder;

  @Property(tries = 200)
  void aPermutationIsABijection(@ForAll @IntRange(min = 1, max = 3000) int size, @ForAll long key) {
    var permutation = new Permutation(size, key);
    var images = new HashSet<Long>();
    for (int i = 0; i < size; i++) {
      long image = permutation.apply(i);
      assertThat(image).isBetween(0L, size - 1L);
      images.add(image);
    }
    assertThat(images).hasSize(size);
  }

  @Test
  void aPermutationMovesItsElementsEvenlyAndDependsOnItsKey() {
    int size = 10_000;
    long ordered = 0;
    long fixed = 0;
    for (int key = 0; key < 10; key++) {
      var permutation = new Permutation(size, key);
      for (int i = 1; i < size; i++) {
        ordered += permutation.apply(i - 1) < permutation.apply(i) ? 1 : 0;
        fixed += permutation.apply(i) == i ? 1 : 0;
      }
    }
    assertThat(ordered / 10.0 / size).isBetween(0.48, 0.52);
    assertThat(fixed).isBetween(1L, 30L);
    assertThat(new Permutation(size, 1).apply(5)).isNotEqualTo(new Permutation(size, 2).apply(5));
    assertThat(new Permutation(1L << 62, 1).apply((1L << 62) - 1)).isBetween(0L, (1L << 62) - 1);
  }

  @Test
  void anEpochGivesEveryWindowOnceAcrossShards() throws IOException {
    try (var dataset = dataset(40, 1, 13, 60)) {
      var loader = Loader.shuffled(dataset.train(), LENGTH, 42);
      assertThat(loader.windows()).isEqualTo((114 - 1) / LENGTH);
      for (int epoch = 0; epoch < 3; epoch++) {
        var starts = new HashSet<Long>();
        for (int window = 0; window < loader.windows(); window++) {
          var ids = new long[LENGTH];
          var targets = new long[LENGTH];
          loader.next(1, ids, targets);
          starts.add(ids[0]);
          for (int t = 0; t < LENGTH; t++) {
            assertThat(ids[t]).isEqualTo(ids[0] + t);
            assertThat(targets[t]).isEqualTo(ids[t] + 1);
          }
        }
        assertThat(starts).hasSize((int) loader.windows()).allMatch(start -> start % LENGTH == 0);
      }
    }
  }

  @Test
  void theSequenceDependsOnSeedAndPositionAloneAndGoesOnAfterARestore() throws IOException {
    try (var dataset = dataset(5000)) {
      var one = Loader.shuffled(dataset.train(), LENGTH, 7);
      var reference = ids(one, 1, 2000);
      assertThat(ids(Loader.shuffled(dataset.train(), LENGTH, 7), 8, 250)).isEqualTo(reference);
      assertThat(ids(Loader.shuffled(dataset.train(), LENGTH, 8), 8, 250)).isNotEqualTo(reference);
      var next = ids(one, 10, 5);
      var restored = Loader.shuffled(dataset.train(), LENGTH, 7);
      restored.seek(2000);
      assertThat(ids(restored, 10, 5)).isEqualTo(next);
      assertThat(restored.position()).isEqualTo(one.position()).isEqualTo(2050);
    }
  }

  @Test
  void epochsDiffer() throws IOException {
    try (var dataset = dataset(5000)) {
      var loader = Loader.shuffled(dataset.train(), LENGTH, 7);
      assertThat(ids(loader, 1, (int) loader.windows())).isNotEqualTo(ids(loader, 1, (int) loader.windows()));
    }
  }

  @Test
  void sequentialWindowsFollowTheTextAndBeginAgain() throws IOException {
    try (var dataset = dataset(3 * LENGTH + 1)) {
      var loader = Loader.sequential(dataset.train(), LENGTH);
      var ids = ids(loader, 2, 2);
      for (int i = 0; i < 3 * LENGTH; i++) {
        assertThat(ids[i]).isEqualTo(i);
      }
      assertThat(ids[3 * LENGTH]).isZero();
    }
  }

  @Test
  void aSplitBelowOneWindowIsAUsersError() throws IOException {
    try (var dataset = dataset(LENGTH)) {
      assertThatThrownBy(() -> Loader.shuffled(dataset.train(), LENGTH, 1)).isInstanceOf(UserError.class).hasMessage(
          "The train split of %s has 7 tokens, and one window of context 7 needs 8: prepare more text, hold out more or less of it with --val-fraction, or choose a shorter context."
              .formatted(folder));
      assertThatThrownBy(() -> Loader.sequential(dataset.val(), LENGTH)).isInstanceOf(UserError.class).hasMessageStartingWith(
          "The validation split of %s has 0 tokens".formatted(folder));
    }
  }

  /** The ids of some batches, one after the other. */
  private static long[] ids(Loader loader, int batch, int batches) {
    var all = new long[batch * batches * LENGTH];
    var ids = new long[batch * LENGTH];
    for (int i = 0; i < batches; i++) {
      loader.next(batch, ids, new long[ids.length]);
      System.arraycopy(ids, 0, all, i * ids.length, ids.length);
    }
    return all;
  }

  /** Shards of these lengths, with the tokens 0, 1, 2, … */
  private Dataset dataset(int... lengths) throws IOException {
    int token = 0;
    for (int i = 0; i < lengths.length; i++) {
      var tokens = new char[lengths[i]];
      for (int t = 0; t < tokens.length; t++) {
        tokens[t] = (char) token++;
      }
      Files.deleteIfExists(folder.resolve("tiny_train_" + i + ".bin"));
      ShardTest.write(folder.resolve("tiny_train_" + i + ".bin"), tokens);
    }
    return Dataset.open(folder);
  }
}
