package dev.walsh.study.plan;

import com.fasterxml.jackson.annotation.JsonCreator;
import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.config.UserError;
import org.jspecify.annotations.Nullable;

/**
 * The shape of a group's models, before an arm changes it: a preset's name, or layers, width, heads and context. Its vocabulary is that of
 * the data.
 *
 * @param preset a name that {@link ModelConfig#parse} reads; null where the other fields are given
 * @param hidden width of the MLP; null for {@link ModelConfig#defaultHidden}
 */
public record Shape(@Nullable String preset, @Nullable Integer layers, @Nullable Integer width, @Nullable Integer heads,
    @Nullable Integer hidden, @Nullable Integer context) {
  /** Any vocabulary, until that of the data is known. */
  private static final int VOCABULARY = 257;

  public Shape {
    var unused = dense(preset, layers, width, heads, hidden, context, VOCABULARY);
  }

  /** Reads a preset's name. */
  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  static Shape preset(String name) {
    return new Shape(name, null, null, null, null, null);
  }

  /** The dense model of this shape. */
  public ModelConfig dense(int vocabulary) {
    return dense(preset, layers, width, heads, hidden, context, vocabulary);
  }

  private static ModelConfig dense(@Nullable String preset, @Nullable Integer layers, @Nullable Integer width, @Nullable Integer heads,
      @Nullable Integer hidden, @Nullable Integer context, int vocabulary) {
    if (preset != null) return ModelConfig.parse(preset).withVocabulary(vocabulary);
    if (layers == null || width == null || heads == null || context == null) {
      throw new UserError("a model needs layers, width, heads and context, or to be a preset's name such as \"124M\"");
    }
    return new ModelConfig(layers, width, heads, hidden == null ? ModelConfig.defaultHidden(width) : hidden, context, vocabulary,
        Projection.named("dense"));
  }
}
