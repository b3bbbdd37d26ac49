package dev.walsh.study;

import java.util.TreeSet;

/** When a run is validated: at even ratios of steps, since losses are looked at on logarithmic axes; the last time after the last step. */
public final class ValidationSteps {
  private static final double FIRST_SHARE = 0.02;

  private ValidationSteps() {}

  /** At most {@code count} of the steps of a run, counted from 1. */
  public static TreeSet<Long> of(long runSteps, int count) {
    var steps = new TreeSet<Long>();
    for (int i = 0; i < count; i++) {
      steps.add(Math.max(1, Math.round(runSteps * Math.pow(FIRST_SHARE, 1 - i / (count - 1.0)))));
    }
    return steps;
  }
}
