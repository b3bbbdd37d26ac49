package dev.walsh.study;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.config.UserError;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;

/**
 * One of the models that are compared.
 *
 * @param name what it is called in tables and folders
 * @param model its shape
 */
public record Arm(String name, ModelConfig model) {
  /** The arm that all others are held against. */
  public static final String BASELINE = "dense";

  /** The arms of a list of projections' names, of one model; the baseline comes first, whether named or not. */
  public static List<Arm> of(ModelConfig model, List<String> projections) {
    var names = new ArrayList<>(projections);
    names.remove(BASELINE);
    names.addFirst(BASELINE);
    if (new HashSet<>(names).size() < names.size())
      throw new UserError("--arms names one arm twice: " + String.join(",", projections) + "; name each once");
    return names.stream().map(name -> named(model, name)).toList();
  }

  /** The arm of a name, made of a model's shape. */
  public static Arm named(ModelConfig base, String name) {
    return new Arm(name, base.with(Projection.named(name)));
  }
}
