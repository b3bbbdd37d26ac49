package dev.walsh.eval;

import dev.walsh.config.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A task as data: where its items are and how they read.
 *
 * @param version counts up whenever the same model may get another score
 * @param files where its data may be, as paths from the folder of tasks; they may also be packed, with ".xz" and the like behind the name
 * @param sha256 of the unpacked data that the version is about
 * @param note what a reader of the scores must know; null for nothing
 */
record Definition(String name, String version, List<String> files, String sha256, Layout layout, Template template, @Nullable String note) {
  /**
   * All that is defined.
   *
   * @param formats of users' own JSON lines; the first whose fields a line has is taken
   */
  record All(List<Definition> tasks, List<Template> formats) {
    private static All read() {
      try (var resource = Definition.class.getResourceAsStream("tasks.json")) {
        if (resource == null) throw new IllegalStateException("tasks.json is not in the jar");
        return Json.LINE.readValue(resource, All.class);
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  }

  /** What walsh brings along. */
  static final All BUILT_IN = All.read();
}
