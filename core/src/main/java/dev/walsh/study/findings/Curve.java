package dev.walsh.study.findings;

import java.util.ArrayList;
import java.util.List;

/** A run's validation loss against what it had spent; between two validations, linear in the logarithm of the spending. */
record Curve(List<Point> points) {
  /** Nats a token at a spending. */
  record Point(double spent, double loss) {}

  /** The curve of the study's main text. */
  static Curve of(Run run, Budget budget) {
    var main = run.record().data().main();
    var points = new ArrayList<Point>();
    for (var reading : run.curve()) {
      var losses = reading.validationLoss();
      var loss = losses == null ? null : losses.get(main);
      if (loss != null) points.add(new Point(budget.spent(reading, run.record()), loss));
    }
    return new Curve(points);
  }

  /** All that was spent; NaN for a curve without points. */
  double end() {
    return points.isEmpty() ? Double.NaN : points.getLast().spent;
  }

  /** The loss at a spending; NaN before the first validation and after the last. */
  double at(double spent) {
    for (int i = 0; i < points.size(); i++) {
      var p = points.get(i);
      if (p.spent == spent) return p.loss;
      if (p.spent > spent) {
        if (i == 0) return Double.NaN;
        var before = points.get(i - 1);
        double share = Math.log(spent / before.spent) / Math.log(p.spent / before.spent);
        return before.loss + share * (p.loss - before.loss);
      }
    }
    return Double.NaN;
  }
}
