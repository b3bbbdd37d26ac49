package dev.walsh.kernels.wht;

import dev.walsh.kernels.wht.Wht.Direction;
import dev.walsh.measure.Stopwatch;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The stand-alone transform by the clock: checked against float64 first, then timed beside a copy and the dense product. */
public final class TransformBenchmark {
  private static final long CHECKED_ROWS = 16;

  private TransformBenchmark() {}

  /** A shape to measure. */
  public record Case(HadamardOrder order, Dtype dtype, long rows) {}

  /**
   * One shape's figures; times are medians, for one row.
   *
   * @param shape what was measured
   * @param nanoseconds of the transform, out of place
   * @param copyNanoseconds of the fastest copy of the same bytes, taking turns with the transform
   * @param denseNanoseconds of the product with a dense d×d matrix of the same dtype
   * @param maxError the largest difference to the float64 transform of the same rounded input, relative to the largest value
   */
  public record Row(Case shape, double nanoseconds, double copyNanoseconds, double denseNanoseconds, double maxError) {
    /** Bytes read and written a second. */
    public double bytesPerSecond() {
      return 2.0 * shape.order.order() * shape.dtype.bytes() / nanoseconds * 1e9;
    }
  }

  /**
   * Checks and times shapes, on the CPU on as many threads as libtorch uses. All transforms and copies go before all dense products, which
   * draw so much power that a GPU lowers its clocks.
   *
   * @throws IllegalStateException where a transform is wrong
   */
  public static List<Row> run(Device device, List<Case> cases) {
    var rows = new ArrayList<Row>();
    for (var shape : cases) rows.add(transform(device, shape));
    for (int i = 0; i < rows.size(); i++) {
      var row = rows.get(i);
      rows.set(i, new Row(row.shape, row.nanoseconds, row.copyNanoseconds, dense(device, row.shape), row.maxError));
    }
    return rows;
  }

  private static Row transform(Device device, Case shape) {
    int d = shape.order.order();
    var factors = HadamardFactors.of(shape.order);
    var transform = device == Device.CPU ? Wht.create(factors, 1 / Math.sqrt(d), Device.threads()) : Wht.create(factors, device);
    try (var scope = Scope.withoutGradients()) {
      var in = random(device, shape);
      var out = torch.empty_like(in);
      Runnable run = () -> transform.transform(in, out, Direction.FORWARD);
      run.run();
      double error = error(factors, in, out);
      Tolerance.check("the transform of width " + d, error, shape.dtype);
      var works = new ArrayList<>(List.of(run));
      works.addAll(CopyLimit.ways(device, shape.dtype, in.numel()));
      var times = Stopwatch.time(device, works);
      double copy = Arrays.stream(times).skip(1).min().orElseThrow();
      return new Row(shape, times[0] / shape.rows, copy / shape.rows, Double.NaN, error);
    }
  }

  private static double dense(Device device, Case shape) {
    int d = shape.order.order();
    try (var scope = Scope.withoutGradients()) {
      var in = random(device, shape);
      var out = torch.empty_like(in);
      var matrix = Memory.tensor(HadamardMatrix.of(shape.order).dense(), d, d).to(device.options(shape.dtype), false, false, null);
      return Stopwatch.fastest(device, List.of(() -> torch.mm_out(out, in, matrix))) / shape.rows;
    }
  }

  private static Tensor random(Device device, Case shape) {
    return torch.randn(new long[] {shape.rows, shape.order.order()}, device.options(shape.dtype));
  }

  private static double error(HadamardFactors factors, Tensor in, Tensor out) {
    long checked = Math.min(CHECKED_ROWS, in.size(0));
    var exact = in.narrow(0, 0, checked).cpu().to(Dtype.F64.scalarType()).contiguous();
    new Reference(factors, 1 / Math.sqrt(factors.order()), 1).transform(exact, exact, Direction.FORWARD);
    return Tolerance.error(out.narrow(0, 0, checked).cpu(), exact);
  }
}
