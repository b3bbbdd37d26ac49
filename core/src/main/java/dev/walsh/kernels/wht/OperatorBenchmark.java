package dev.walsh.kernels.wht;

import dev.walsh.config.ModelConfig;
import dev.walsh.measure.Stopwatch;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * The fused operator by the clock: checked against float64 first, then timed beside a copy of the bytes that it must move and the best that
 * a dense projection can do in its place.
 */
public final class OperatorBenchmark {
  private OperatorBenchmark() {}

  /** Which matrix: H_d, or H_heads ⊗ I, the rest being in the value projection. */
  public enum Form {
    FULL, FOLDED;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Which way: forward moves four matrices, backward six. */
  public enum Pass {
    FORWARD(4), BACKWARD(6);

    private final int matrices;

    Pass(int matrices) {
      this.matrices = matrices;
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** A shape to measure, of a model with so many heads. */
  public record Case(int width, int heads, Form form, Dtype dtype, long rows) {
    private HadamardFactors factors() {
      return form == Form.FULL ? HadamardFactors.of(width, heads) : HadamardFactors.of(HadamardOrder.of(heads));
    }

    private int channels() {
      return form == Form.FULL ? 1 : width / heads;
    }

    private double bytes(Pass pass) {
      return (double) pass.matrices * width * dtype.bytes();
    }
  }

  /**
   * One shape's figures in one direction; times are medians, for one row.
   *
   * @param nanoseconds of the fused operator
   * @param copyNanoseconds of the fastest copy of the same bytes, taking turns with the operator
   * @param denseNanoseconds of the fastest dense path to the same: a product with a d×d matrix, residual and norm; backward two products
   *     and the derivative of the norm
   * @param maxError the largest difference to float64, relative to the largest value of the result in question
   */
  public record Row(Case shape, Pass pass, double nanoseconds, double copyNanoseconds, double denseNanoseconds, double maxError) {
    /** Bytes read and written a second. */
    public double bytesPerSecond() {
      return shape.bytes(pass) / nanoseconds * 1e9;
    }
  }

  /**
   * Checks and times shapes, each forward and backward, on the CPU on as many threads as libtorch uses. All operators and copies go before
   * all dense products, which draw so much power that a GPU lowers its clocks.
   *
   * @throws IllegalStateException where an operator is wrong
   */
  public static List<Row> run(Device device, List<Case> cases) {
    var rows = new ArrayList<Row>();
    for (var shape : cases) rows.addAll(fused(device, shape));
    var dense = new HashMap<Case, double[]>();
    for (int i = 0; i < rows.size(); i++) {
      var row = rows.get(i);
      var both = dense.computeIfAbsent(new Case(row.shape.width, 1, Form.FULL, row.shape.dtype, row.shape.rows), c -> dense(device, c));
      rows.set(i, new Row(row.shape, row.pass, row.nanoseconds, row.copyNanoseconds, both[row.pass.ordinal()], row.maxError));
    }
    return rows;
  }

  private static List<Row> fused(Device device, Case shape) {
    try (var scope = Scope.open()) {
      var t = new JoinTensors(device, shape.dtype, shape.rows, shape.width);
      var join = TimedJoin.create(device, shape.dtype, shape.factors(), shape.channels(), shape.rows);
      join.forward(t);
      join.backward(t);
      var errors = new ExactJoin(device, shape.factors(), shape.channels()).of(t);
      var rows = new ArrayList<Row>();
      for (var pass : Pass.values()) {
        double error = pass == Pass.FORWARD ? errors.forward() : errors.backward();
        Tolerance.check("the " + shape.form + " operator of width " + shape.width + " " + pass, error, shape.dtype);
        rows.add(timed(device, shape, pass, pass == Pass.FORWARD ? () -> join.forward(t) : () -> join.backward(t), error));
      }
      return rows;
    }
  }

  private static Row timed(Device device, Case shape, Pass pass, Runnable run, double error) {
    try (var scope = Scope.withoutGradients()) {
      var works = new ArrayList<>(List.of(run));
      works.addAll(CopyLimit.ways(device, shape.dtype, shape.rows * shape.width * pass.matrices / 2));
      var times = Stopwatch.time(device, works);
      double copy = Arrays.stream(times).skip(1).min().orElseThrow();
      return new Row(shape, pass, times[0] / shape.rows, copy / shape.rows, Double.NaN, error);
    }
  }

  /** Nanoseconds a row, forward and backward. */
  private static double[] dense(Device device, Case shape) {
    try (var scope = Scope.withoutGradients()) {
      var t = new JoinTensors(device, shape.dtype, shape.rows, shape.width);
      var plain = TimedJoin.plain(device, shape.dtype, shape.width, shape.rows);
      var square = torch.randn(new long[] {shape.width, shape.width}, device.options(shape.dtype));
      var weight = square.div_(new Scalar(Math.sqrt(shape.width)));
      var projected = torch.empty_like(t.y);
      var dWeight = torch.empty_like(weight);
      var gain = t.gain.to(shape.dtype.scalarType());
      var kept = t.y.clone();
      var keptAcross = kept.t();
      var transposed = weight.t();
      Runnable intoResidual = () -> {
        try (var inner = Scope.open()) {
          t.x.addmm_(kept, weight);
          torch.rms_norm(t.x, gain.shape(), new TensorOptional(gain), new DoubleOptional(ModelConfig.NORM_EPSILON));
        }
      };
      Runnable thenJoin = () -> {
        torch.mm_out(t.y, kept, weight);
        plain.forward(t);
      };
      thenJoin.run();
      Runnable backward = () -> {
        plain.backward(t);
        torch.mm_out(projected, t.dx, transposed);
        torch.mm_out(dWeight, keptAcross, t.dx);
      };
      return new double[] {Stopwatch.fastest(device, List.of(intoResidual, thenJoin)) / shape.rows,
          Stopwatch.fastest(device, List.of(backward)) / shape.rows};
    }
  }
}
