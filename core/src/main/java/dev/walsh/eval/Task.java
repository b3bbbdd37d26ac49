package dev.walsh.eval;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Items to be scored, as read from their file.
 *
 * @param name of the task; of a user's own file, the path
 * @param version of the task's definition; where the data are not those that it was made for, or there is no definition, the beginning of
 *        their SHA-256
 * @param note what a reader of the scores must know; null for nothing
 * @param normalised whether choices are compared by their log-likelihood a byte, too
 * @param sets its parts, at least one, none of them empty
 */
public record Task(String name, String version, @Nullable String note, boolean normalised, List<ItemSet> sets) {
  /**
   * A part of a task that has a score of its own.
   *
   * @param name empty where the task has one set only
   * @param file the file, and the entry in it
   */
  public record ItemSet(String name, String file, List<Item> items) {}

  /** The number of items. */
  public int items() {
    return sets.stream().mapToInt(set -> set.items().size()).sum();
  }

  /** The number of continuations and texts to be scored, which is what progress is counted in. */
  public int requests() {
    return sets.stream().flatMap(set -> set.items().stream())
        .mapToInt(item -> item instanceof Item.Choices question ? question.choices().size() : 1).sum();
  }

  /** The task with no more than the first {@code most} items of each set. */
  public Task first(int most) {
    return new Task(name, version, note, normalised, sets.stream()
        .map(set -> new ItemSet(set.name(), set.file(), set.items().subList(0, Math.min(most, set.items().size())))).toList());
  }
}
