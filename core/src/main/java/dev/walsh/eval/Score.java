package dev.walsh.eval;

import org.jspecify.annotations.Nullable;

/**
 * A number that a task gives a model.
 *
 * @param value NaN where the model's log-likelihoods are
 * @param error one standard error; NaN where there are too few items to tell
 * @param chance what guessing would reach, the mean of 1 / choices; null where nothing is chosen
 */
public record Score(double value, double error, @Nullable Double chance) {}
