package dev.walsh.kernels.hla;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The products of one feature of each factor, in the order in which the state has them. Untied, these are all combinations; of a symmetric
 * state they are those with a ≥ b ≥ c, each once. Products that differ in the first factor's feature alone follow one another: a run.
 */
final class Monomials {
  /**
   * The features from, from + 1, … of the first factor, each times the same feature of every other factor.
   *
   * @param offset the first product's place among all
   * @param trailing the others' features
   */
  record Run(int offset, int from, int length, int[] trailing) {}

  private final int factors;
  private final List<Run> runs = new ArrayList<>();
  private int size;

  /** @param symmetric whether a product's place does not depend on the order of its factors, whose ranks must be equal then */
  Monomials(int[] ranks, boolean symmetric) {
    factors = ranks.length;
    add(ranks, symmetric, new int[0]);
  }

  private void add(int[] ranks, boolean symmetric, int[] trailing) {
    if (trailing.length < factors - 1) {
      int end = symmetric && trailing.length > 0 ? trailing[trailing.length - 1] + 1 : ranks[trailing.length + 1];
      for (int b = 0; b < end; b++) {
        var longer = Arrays.copyOf(trailing, trailing.length + 1);
        longer[trailing.length] = b;
        add(ranks, symmetric, longer);
      }
      return;
    }
    int from = symmetric && trailing.length > 0 ? trailing[0] : 0;
    runs.add(new Run(size, from, ranks[0] - from, trailing));
    size += ranks[0] - from;
  }

  int factors() {
    return factors;
  }

  /** R. */
  int size() {
    return size;
  }

  List<Run> runs() {
    return runs;
  }

  /** Which feature of a factor each product has: (R). */
  double[] features(int factor) {
    var features = new double[size];
    for (var run : runs) {
      for (int i = 0; i < run.length; i++) features[run.offset + i] = factor == 0 ? run.from + i : run.trailing[factor - 1];
    }
    return features;
  }

  /** How many orders of a product's features are the same: 1 where all differ, F! where all are one. (R). */
  double[] repetitions() {
    var repetitions = new double[size];
    for (var run : runs) {
      for (int i = 0; i < run.length; i++) repetitions[run.offset + i] = repetitions(run.from + i, run.trailing);
    }
    return repetitions;
  }

  private static double repetitions(int lead, int[] trailing) {
    double product = 1;
    int equal = 1;
    int last = lead;
    for (int feature : trailing) {
      equal = feature == last ? equal + 1 : 1;
      product *= equal;
      last = feature;
    }
    return product;
  }
}
