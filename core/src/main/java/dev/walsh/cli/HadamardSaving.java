package dev.walsh.cli;

import dev.walsh.config.ModelConfig;
import dev.walsh.kernels.wht.OperatorBenchmark;
import dev.walsh.kernels.wht.OperatorBenchmark.Case;
import dev.walsh.kernels.wht.OperatorBenchmark.Form;
import dev.walsh.kernels.wht.OperatorBenchmark.Row;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * What a step saves where H_d stands in for the dense output projection, beside what the operators alone would save in all layers.
 *
 * @param saved milliseconds of a step, dense less Hadamard
 * @param dense milliseconds that all layers' fastest dense paths take by themselves, forward and backward
 * @param operator milliseconds that all layers' operators take
 * @param share saved, of dense less operator
 */
record HadamardSaving(double saved, double dense, double operator, double share) {
  /** Measures the operators, for as many rows as a step of a rank has tokens. */
  static HadamardSaving measure(ModelConfig shape, Device device, Dtype dtype, long rows, double saved) {
    var timed = OperatorBenchmark.run(device, List.of(new Case(shape.width(), shape.heads(), Form.FULL, dtype, rows)));
    double scale = 1e-6 * rows * shape.layers();
    double dense = sum(timed, Row::denseNanoseconds) * scale;
    double operator = sum(timed, Row::nanoseconds) * scale;
    return new HadamardSaving(saved, dense, operator, saved / (dense - operator));
  }

  private static double sum(List<Row> passes, ToDoubleFunction<Row> nanoseconds) {
    return passes.stream().mapToDouble(nanoseconds).sum();
  }
}
