package dev.walsh.study.plan;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Recipe;
import dev.walsh.config.TrainConfig;
import dev.walsh.config.UserError;
import dev.walsh.study.Arm;
import java.util.HashSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One question of a study: a shape and a budget, and all combinations of arms, learning rates and seeds. What is not given of the recipe is
 * {@link Recipe}'s.
 *
 * @param name unique in the plan
 * @param about what it is to show, a sentence; may be missing
 * @param tokens each cell trains on
 * @param batchTokens of an optimizer step
 * @param warmup the share of all steps over which the learning rate rises
 * @param learningRates peaks to try; may be missing
 * @param bestOf an earlier group, whose best learning rate each arm takes; may be missing
 * @param tasks downstream tasks that each cell is evaluated on; may be missing
 */
public record Group(String name, @Nullable String about, Shape model, long tokens, @Nullable Integer batchTokens, @Nullable Double warmup,
    List<String> arms, List<Integer> seeds, @Nullable List<Double> learningRates, @Nullable String bestOf, @Nullable List<String> tasks) {
  /** Any learning rate, to check the rest of a recipe with. */
  private static final double SOME_RATE = 1e-3;

  public Group {
    if (name == null || !name.matches("[A-Za-z0-9][A-Za-z0-9.-]*")) {
      throw new UserError("name is " + name + "; give the group one of letters, digits, dots and hyphens");
    }
    if (model == null) throw new UserError("model is missing; give a preset's name or a shape");
    var dense = model.dense(1);
    if (arms != null) arms = arms.stream().map(arm -> Arm.named(dense, arm).name()).toList();
    arms = distinct("arms", arms);
    seeds = distinct("seeds", seeds);
    if (seeds.stream().anyMatch(seed -> seed < 0)) throw new UserError("seeds has " + seeds + "; seeds are not negative");
    if (learningRates != null) {
      learningRates = distinct("learningRates", learningRates);
      if (bestOf != null) throw new UserError("learningRates and bestOf exclude each other; give one of them");
    }
    if (tasks != null) tasks = distinct("tasks", tasks);
    for (double rate : learningRates == null ? List.of(SOME_RATE) : learningRates) {
      var unused = recipe(dense, tokens, batchTokens, warmup, rate, 0, true);
    }
  }

  private static <T> List<T> distinct(String field, @Nullable List<T> values) {
    if (values == null || values.isEmpty()) throw new UserError(field + " is missing; give at least one");
    if (new HashSet<>(values).size() < values.size()) throw new UserError(field + " has " + values + "; name each once");
    return List.copyOf(values);
  }

  /** The tasks, none where none are given. */
  public List<String> tasksOrNone() {
    return tasks == null ? List.of() : tasks;
  }

  /** The arm of a name in this group's shape. */
  public Arm arm(String named, int vocabulary) {
    return Arm.named(model.dense(vocabulary), named);
  }

  /**
   * How a cell of this group is trained; equal for all arms, whatever they do to the shape.
   *
   * @param cpu whether a pass must stay small
   */
  public TrainConfig recipe(double learningRate, long seed, boolean cpu) {
    return recipe(model.dense(1), tokens, batchTokens, warmup, learningRate, seed, cpu);
  }

  /** The learning rate of {@link Recipe}, for a group that names none. */
  double usualLearningRate() {
    return Recipe.of(model.dense(1), tokens, true).learningRate();
  }

  private static TrainConfig recipe(ModelConfig dense, long tokens, @Nullable Integer batchTokens, @Nullable Double warmup,
      double learningRate, long seed, boolean cpu) {
    if (tokens <= 0) throw new UserError("tokens is " + tokens + " or missing; it must be positive");
    var usual = Recipe.of(dense, tokens, cpu);
    int step = batchTokens == null ? usual.batchTokens() : batchTokens;
    int sequences = Math.max(1, step / usual.length());
    long steps = Math.max(1, Math.ceilDiv(tokens, Math.max(1, step)));
    return new TrainConfig(tokens, step, Recipe.microBatch(dense, sequences, usual.length(), cpu), usual.length(), learningRate,
        usual.finalLearningRate(), warmup == null ? Recipe.warmup(steps) : warmup, usual.beta1(), usual.beta2(), usual.weightDecay(),
        usual.clip(), seed);
  }
}
