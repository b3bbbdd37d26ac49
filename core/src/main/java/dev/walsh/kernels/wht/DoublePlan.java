package dev.walsh.kernels.wht;

import java.util.ArrayList;
import java.util.List;

import static dev.walsh.kernels.wht.DoubleSylvester.BYTES;
import static dev.walsh.kernels.wht.DoubleSylvester.LANES;

/** The passes over a float64 row that make up one transform, chosen once from its factors and the length of a vector. */
final class DoublePlan implements RowPlan {
  private final Pass[] passes;
  private final long scratchBytes;

  private DoublePlan(List<Pass> passes, long scratchBytes) {
    this.passes = passes.toArray(Pass[]::new);
    this.scratchBytes = scratchBytes;
  }

  /** One pass over rows without gaps; in place where {@code in} equals {@code out}. */
  @FunctionalInterface
  private interface Pass {
    void apply(long in, long out, long rows, long scratch);
  }

  /**
   * The product with {@code scale · (signs ⊗ I)}.
   *
   * @param atoms the Kronecker factors of the signs, outermost first
   * @param channels the order of the identity I; 1 for the matrix alone
   */
  static DoublePlan of(List<HadamardAtom> atoms, int channels, boolean transposed, double scale) {
    int d = HadamardMatrix.order(atoms) * channels;
    var passes = new ArrayList<Pass>();
    long scratchBytes = 0;
    if (atoms.isEmpty() || channels > 1 && scale != 1) {
      passes.add((in, out, rows, scratch) -> DoubleSylvester.within(in, out, rows * d, 0, scale));
    }
    int inner = channels;
    for (int i = atoms.size() - 1; i >= 0;) {
      double factor = passes.isEmpty() ? scale : 1;
      if (atoms.get(i).isSylvester()) {
        int size = 1;
        for (; i >= 0 && atoms.get(i).isSylvester(); i--) {
          size *= 2;
        }
        addSylvester(passes, d, inner, size, factor);
        inner *= size;
      } else {
        var core = new DoubleCore(atoms.get(i--), transposed);
        scratchBytes = Math.max(scratchBytes, core.scratchBytes());
        addCore(passes, core, d, inner, factor);
        inner *= core.order();
      }
    }
    return new DoublePlan(passes, scratchBytes);
  }

  private static void addCore(List<Pass> passes, DoubleCore core, int d, int inner, double scale) {
    long blocks = d / (core.order() * inner);
    long stride = 8L * inner;
    passes.add((in, out, rows, scratch) -> core.apply(in, out, rows * blocks, stride, scale, scratch));
  }

  private static void addSylvester(List<Pass> passes, int d, int inner, int size, double scale) {
    int done = inner == 1 ? addContiguous(passes, d, size, scale) : 1;
    for (int left = Integer.numberOfTrailingZeros(size / done); left > 0;) {
      long stride = 8L * inner * done;
      int stages = stride % BYTES != 0 || left == 1 ? 1 : left == 2 || left == 4 ? 2 : 3;
      long blocks = d / (((long) inner * done) << stages);
      passes.add(stride % BYTES != 0
          ? (in, out, rows, scratch) -> DoubleStrides.radix2Unaligned(in, out, rows * blocks, stride)
          : switch (stages) {
            case 1 -> (in, out, rows, scratch) -> DoubleStrides.radix2(in, out, rows * blocks, stride);
            case 2 -> (in, out, rows, scratch) -> DoubleStrides.radix4(in, out, rows * blocks, stride);
            default -> (in, out, rows, scratch) -> DoubleStrides.radix8(in, out, rows * blocks, stride);
          });
      done <<= stages;
      left -= stages;
    }
  }

  /** The first pass of a Sylvester matrix on neighbours; returns the order that it covers. */
  private static int addContiguous(List<Pass> passes, int d, int size, double scale) {
    if (size >= 8 * LANES) {
      passes.add((in, out, rows, scratch) -> DoubleSylvester.contiguous8(in, out, rows * (d / (8 * LANES)), scale));
      return 8 * LANES;
    }
    int covered = Math.min(size, LANES);
    int stages = Integer.numberOfTrailingZeros(covered);
    passes.add((in, out, rows, scratch) -> DoubleSylvester.within(in, out, rows * d, stages, scale));
    return covered;
  }

  @Override
  public long scratchBytes(long rows) {
    return scratchBytes;
  }

  @Override
  public void apply(long in, long out, long rows, long scratch) {
    long from = in;
    for (var pass : passes) {
      pass.apply(from, out, rows, scratch);
      from = out;
    }
  }
}
