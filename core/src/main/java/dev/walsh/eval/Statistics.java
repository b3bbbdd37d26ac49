package dev.walsh.eval;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.DoubleUnaryOperator;

/** Means and their standard errors. */
final class Statistics {
  private static final int RESAMPLES = 1000;
  private static final long SEED = 1234;

  private Statistics() {}

  static double mean(double[] values) {
    return Arrays.stream(values).sum() / values.length;
  }

  /** The sample's standard error of the mean, s/√n with s² = Σ(x − mean)²/(n − 1); NaN for one value. */
  static double standardError(double[] values) {
    return deviation(values) / Math.sqrt(values.length);
  }

  private static double deviation(double[] values) {
    double mean = mean(values);
    return Math.sqrt(Arrays.stream(values).map(x -> (x - mean) * (x - mean)).sum() / (values.length - 1));
  }

  /**
   * The standard error of what several samples say together, from the variance inside of each: √(Σ (n_i − 1)·s_i² / (N − k) / N) for k samples of
   * N values in all.
   */
  static double pooledError(List<double[]> samples) {
    double squares = 0;
    int all = 0;
    for (var sample : samples) {
      double deviation = deviation(sample);
      squares += sample.length > 1 ? (sample.length - 1) * deviation * deviation : 0;
      all += sample.length;
    }
    return Math.sqrt(squares / (all - samples.size()) / all);
  }

  /**
   * The standard error of a function of Σ values / Σ weights, by the bootstrap (Efron 1979): the deviation over {@value #RESAMPLES} samples as
   * large as the given one, drawn from it with replacement, always the same. NaN for one value.
   */
  static double bootstrapError(double[] values, double[] weights, DoubleUnaryOperator function) {
    if (values.length < 2) return Double.NaN;
    var random = new SplittableRandom(SEED);
    var replicates = new double[RESAMPLES];
    for (int r = 0; r < RESAMPLES; r++) {
      double sum = 0;
      double weight = 0;
      for (int i = 0; i < values.length; i++) {
        int drawn = random.nextInt(values.length);
        sum += values[drawn];
        weight += weights[drawn];
      }
      replicates[r] = function.applyAsDouble(sum / weight);
    }
    return deviation(replicates);
  }
}
