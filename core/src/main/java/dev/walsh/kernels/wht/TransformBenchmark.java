package dev.walsh.kernels.wht;

import dev.walsh.kernels.wht.Wht.Direction;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The stand-alone transform on the CPU by the clock: checked against float64 first, then timed beside a copy and the dense product. */
public final class TransformBenchmark {
  private static final int REPETITIONS = 9;
  private static final double SECONDS_EACH = 0.02;
  private static final long CHECKED_ROWS = 16;

  private TransformBenchmark() {}

  /**
   * One shape's figures; times are medians, for one row.
   *
   * @param width d
   * @param rows that were transformed at once
   * @param nanoseconds of the transform, out of place
   * @param copyNanoseconds of libtorch's copy of the same bytes
   * @param denseNanoseconds of the product with a dense d×d matrix of the same dtype
   * @param maxError the largest difference to the float64 transform of the same rounded input, relative to the largest value
   */
  public record Row(int width, Dtype dtype, long rows, double nanoseconds, double copyNanoseconds, double denseNanoseconds,
      double maxError) {
    /** Bytes read and written a second. */
    public double bytesPerSecond() {
      return 2.0 * width * dtype.bytes() / nanoseconds * 1e9;
    }
  }

  /** Checks and times one shape, on as many threads as libtorch uses. */
  public static Row run(HadamardOrder order, Dtype dtype, long rows) {
    int d = order.order();
    var factors = HadamardFactors.of(order);
    try (var scope = Scope.withoutGradients()) {
      var in = torch.randn(rows, d).to(dtype.scalarType());
      var out = torch.empty_like(in);
      var transform = Wht.create(factors, 1 / Math.sqrt(d), Device.threads());
      var type = ElementType.of(dtype);
      Runnable run = () -> transform.transform(type, Direction.FORWARD, rows, Memory.of(in), Memory.of(out));
      run.run();
      double error = error(factors, in, out);
      var matrix = Memory.tensor(HadamardMatrix.of(factors).dense(), d, d).to(dtype.scalarType());
      double dense = median(() -> {
        try (var inner = Scope.open()) {
          var unused = torch.mm(in, matrix);
        }
      });
      return new Row(d, dtype, rows, median(run) / rows, median(() -> out.copy_(in)) / rows, dense / rows, error);
    }
  }

  private static double error(HadamardFactors factors, Tensor in, Tensor out) {
    int d = factors.order();
    long checked = Math.min(CHECKED_ROWS, in.size(0));
    var exactIn = in.narrow(0, 0, checked).to(Dtype.F64.scalarType()).contiguous();
    var exact = torch.empty_like(exactIn);
    new Reference(factors, 1 / Math.sqrt(d), 1).transform(ElementType.F64, Direction.FORWARD, checked, Memory.of(exactIn),
        Memory.of(exact));
    double largest = exact.abs().max().item_double();
    return out.narrow(0, 0, checked).to(Dtype.F64.scalarType()).sub(exact).abs().max().item_double() / largest;
  }

  /** Nanoseconds of a call: the median of several stretches of repeated calls. */
  private static double median(Runnable work) {
    work.run();
    var times = new double[REPETITIONS];
    for (int i = 0; i < REPETITIONS; i++) {
      long start = System.nanoTime();
      int calls = 0;
      do {
        work.run();
        calls++;
      } while (System.nanoTime() - start < SECONDS_EACH * 1e9);
      times[i] = (System.nanoTime() - start) / (double) calls;
    }
    Arrays.sort(times);
    return times[REPETITIONS / 2];
  }
}
