package dev.walsh.study;

import dev.walsh.config.TrainConfig;
import dev.walsh.data.Dataset;
import dev.walsh.data.Loader;
import dev.walsh.measure.Progress;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Ranks;
import dev.walsh.train.Calibration;
import dev.walsh.train.Interruption;
import dev.walsh.train.RunPlan;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.function.Consumer;

/**
 * Arms trained side by side: the same tokens in the same order, the same schedule, the same initial weights wherever they share a part, and
 * turns of a few steps, so that whatever else the machine does hits all alike.
 *
 * @param arms the baseline first
 * @param recipe of all arms
 * @param seeds how many times each arm is trained
 * @param dataFolder where {@code data} was opened, for the record
 */
public record Comparison(List<Arm> arms, TrainConfig recipe, int seeds, Dataset data, Path dataFolder, Device device, Dtype dtype,
    double peakFlops) {
  private static final int TURN_STEPS = 4;
  private static final int VALIDATIONS = 14;
  /** A validation costs a third of a training step a token, so this bounds all of them at about an eighth of the training time. */
  private static final int TRAINING_TOKENS_A_VALIDATION_TOKEN = 40;
  private static final long LEAST_VALIDATION_TOKENS = 16_384;

  /** The tokens of each arm and seed with which all arms together train for {@code minutes}: a short calibration finds out. */
  public long tokens(double minutes) {
    double seconds = 0;
    for (var arm : arms) {
      seconds += Calibration.secondsPerStep(arm.model(), recipe, Loader.shuffled(data.train(), recipe.length(), recipe.seed()), device,
          dtype, Ranks.alone());
    }
    return Calibration.tokens(minutes * 60 / seeds, seconds, recipe.batchTokens());
  }

  public Comparison with(TrainConfig recipe) {
    return new Comparison(arms, recipe, seeds, data, dataFolder, device, dtype, peakFlops);
  }

  /** The folder of an arm's run under a seed. */
  public static Path folder(Path out, Arm arm, int seed, int seeds) {
    return out.resolve(seeds == 1 ? arm.folder() : arm.folder() + "-seed" + seed);
  }

  /**
   * Trains all arms, seed after seed.
   *
   * @return whether it ran to the end; false where it was interrupted
   */
  public boolean run(Path out, Interruption interruption, Consumer<String> warnings) {
    try (var progress = Progress.start("compare", "steps", recipe.steps() * arms.size() * seeds)) {
      for (int seed = 0; seed < seeds; seed++) {
        if (!run(out, seed, interruption, progress, warnings)) return false;
      }
    }
    return true;
  }

  private boolean run(Path out, int seed, Interruption interruption, Progress progress,
      Consumer<String> warnings) {
    var runs = new ArrayList<ArmRun>();
    try {
      for (var arm : arms) runs.add(new ArmRun(plan(arm, seed), folder(out, arm, seed, seeds), data, device));
      var checkpoints = validationSteps();
      for (long step = 0; step < recipe.steps() && !interruption.isRequested(); step = runs.getFirst().stepsTaken()) {
        int turn = (int) Math.min(TURN_STEPS, checkpoints.ceiling(step + 1) - step);
        for (var run : runs) {
          run.turn(turn, peakFlops);
          progress.step(turn);
        }
        if (checkpoints.contains(step + turn)) runs.forEach(ArmRun::validate);
      }
      boolean finished = runs.getFirst().stepsTaken() >= recipe.steps();
      if (finished) runs.forEach(run -> run.save(warnings));
      return finished;
    } finally {
      runs.forEach(ArmRun::close);
    }
  }

  /** Validations at even ratios of steps, since losses are looked at on logarithmic axes; the last after the last step. */
  private TreeSet<Long> validationSteps() {
    var steps = new TreeSet<Long>();
    double last = recipe.steps();
    for (int i = 0; i < VALIDATIONS; i++) {
      steps.add(Math.max(1, Math.round(last * Math.pow(0.02, 1 - i / (VALIDATIONS - 1.0)))));
    }
    return steps;
  }

  private RunPlan plan(Arm arm, int seed) {
    long validationTokens = Math.max(LEAST_VALIDATION_TOKENS, recipe.tokens() / TRAINING_TOKENS_A_VALIDATION_TOKEN);
    int steps = Math.toIntExact(recipe.steps());
    return new RunPlan(arm.model(), recipe.withSeed(recipe.seed() + seed), dtype.toString(),
        dataFolder.toAbsolutePath().normalize().toString(), null, steps, validationTokens, steps, 1);
  }
}
