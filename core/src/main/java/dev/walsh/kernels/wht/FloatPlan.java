package dev.walsh.kernels.wht;

import java.util.ArrayList;
import java.util.List;

import static dev.walsh.kernels.wht.FloatSylvester.BYTES;
import static dev.walsh.kernels.wht.FloatSylvester.LANES;

/** The passes over a float32 row that make up one transform, chosen once from its factors and the length of a vector. */
final class FloatPlan implements RowPlan {
  private final Pass[] passes;
  private final long scratchBytes;

  private FloatPlan(List<Pass> passes, long scratchBytes) {
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
   * @param channels the order of the identity I; 1 for the matrix alone
   */
  static FloatPlan of(HadamardFactors factors, int channels, boolean transposed, float scale) {
    int d = factors.order() * channels;
    var passes = new ArrayList<Pass>();
    long scratchBytes = 0;
    var atoms = HadamardMatrix.atoms(factors);
    if (atoms.isEmpty() || channels > 1 && scale != 1) {
      passes.add((in, out, rows, scratch) -> FloatSylvester.within(in, out, rows * d, 0, scale));
    }
    int inner = channels;
    for (int i = atoms.size() - 1; i >= 0;) {
      float factor = passes.isEmpty() ? scale : 1;
      if (atoms.get(i) == 2) {
        int size = 1;
        for (; i >= 0 && atoms.get(i) == 2; i--) {
          size *= 2;
        }
        addSylvester(passes, d, inner, size, factor);
        inner *= size;
      } else {
        var core = new FloatCore(atoms.get(i--), transposed);
        scratchBytes = Math.max(scratchBytes, core.scratchBytes());
        addCore(passes, core, d, inner, factor);
        inner *= core.order();
      }
    }
    return new FloatPlan(passes, scratchBytes);
  }

  private static void addCore(List<Pass> passes, FloatCore core, int d, int inner, float scale) {
    long blocks = d / (core.order() * inner);
    long stride = 4L * inner;
    passes.add((in, out, rows, scratch) -> core.apply(in, out, rows * blocks, stride, scale, scratch));
  }

  private static void addSylvester(List<Pass> passes, int d, int inner, int size, float scale) {
    int done = inner == 1 ? addContiguous(passes, d, size, scale) : 1;
    for (int left = Integer.numberOfTrailingZeros(size / done); left > 0;) {
      long stride = 4L * inner * done;
      int stages = stride % BYTES != 0 || left == 1 ? 1 : left == 2 || left == 4 ? 2 : 3;
      long blocks = d / (((long) inner * done) << stages);
      passes.add(stride % BYTES != 0
          ? (in, out, rows, scratch) -> FloatStrides.radix2Unaligned(in, out, rows * blocks, stride)
          : switch (stages) {
            case 1 -> (in, out, rows, scratch) -> FloatStrides.radix2(in, out, rows * blocks, stride);
            case 2 -> (in, out, rows, scratch) -> FloatStrides.radix4(in, out, rows * blocks, stride);
            default -> (in, out, rows, scratch) -> FloatStrides.radix8(in, out, rows * blocks, stride);
          });
      done <<= stages;
      left -= stages;
    }
  }

  /** The first pass of a Sylvester matrix on neighbours; returns the order that it covers. */
  private static int addContiguous(List<Pass> passes, int d, int size, float scale) {
    if (size >= 16 * LANES) {
      passes.add((in, out, rows, scratch) -> FloatSylvester.contiguous16(in, out, rows * (d / (16 * LANES)), scale));
      return 16 * LANES;
    }
    if (size >= 4 * LANES) {
      passes.add((in, out, rows, scratch) -> FloatSylvester.contiguous4(in, out, rows * (d / (4 * LANES)), scale));
      return 4 * LANES;
    }
    int covered = Math.min(size, LANES);
    int stages = Integer.numberOfTrailingZeros(covered);
    passes.add((in, out, rows, scratch) -> FloatSylvester.within(in, out, rows * d, stages, scale));
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
