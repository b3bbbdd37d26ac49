package dev.walsh.train;

import dev.walsh.config.TrainConfig;

/** The learning rate over the steps of a run: a linear rise, then a cosine down to a fraction of the peak. */
final class Schedule {
  private final TrainConfig config;
  private final long warmup;

  Schedule(TrainConfig config) {
    this.config = config;
    this.warmup = Math.round(config.warmup() * config.steps());
  }

  /** @param step counted from 0 */
  double learningRate(long step) {
    double peak = config.learningRate();
    if (step < warmup) return peak * (step + 1) / warmup;
    double progress = Math.min(1, (double) (step - warmup) / Math.max(1, config.steps() - 1 - warmup));
    double floor = config.finalLearningRate();
    return peak * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)));
  }
}
