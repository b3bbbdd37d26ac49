package dev.walsh.study;

import dev.walsh.report.Series;
import dev.walsh.report.Series.Point;
import java.util.ArrayList;
import java.util.List;

/** The curves of an arm's seeds as one series: their mean, with each of several as a faint line beneath it. */
public final class SeedCurves {
  private SeedCurves() {}

  /** @param seeds the points of each seed; the mean is over those that all have */
  public static Series of(String name, List<List<Point>> seeds) {
    int length = seeds.stream().mapToInt(List::size).min().orElse(0);
    var mean = new ArrayList<Point>();
    for (int i = 0; i < length; i++) {
      int at = i;
      mean.add(new Point(seeds.stream().mapToDouble(seed -> seed.get(at).x()).average().orElse(Double.NaN),
          seeds.stream().mapToDouble(seed -> seed.get(at).y()).average().orElse(Double.NaN)));
    }
    var series = Series.of(name, mean);
    if (seeds.size() > 1) {
      for (var seed : seeds) series = series.faint(seed);
    }
    return series;
  }
}
