package dev.walsh.study.plan;

import com.fasterxml.jackson.annotation.JsonCreator;
import dev.walsh.config.UserError;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The texts of a study, as dataset folders that {@code walsh prepare} made; in a plan the word {@code "jdk"} stands for the source code of
 * the JDK that runs walsh, as bytes.
 *
 * @param train the dataset to train on; null for the JDK's sources
 * @param validation datasets to validate on, by name, the one that curves are drawn of first. Of each, its held-out tokens count, or all
 *   where none are held out
 */
public record Texts(@Nullable String train, Map<String, String> validation) {
  private static final String JDK = "jdk";

  public Texts {
    if (train != null && (validation == null || validation.isEmpty())) {
      throw new UserError("validation names no dataset; write {\"NAME\": \"FOLDER\"}");
    }
    validation = validation == null ? Map.of() : new LinkedHashMap<>(validation);
  }

  /** Reads the short form. */
  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  static Texts named(String name) {
    if (!name.equals(JDK)) {
      throw new UserError("the text '" + name + "' is unknown; write \"" + JDK + "\", or {\"train\": \"FOLDER\", \"validation\": {…}}");
    }
    return new Texts(null, Map.of());
  }

  public boolean areJdkSources() {
    return train == null;
  }

  /** The dataset to train on, where the texts are no built-in ones. */
  public String trainFolder() {
    if (train == null) throw new IllegalStateException("the JDK's sources have no folder in a plan");
    return train;
  }
}
