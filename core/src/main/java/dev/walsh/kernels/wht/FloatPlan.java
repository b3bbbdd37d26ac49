package dev.walsh.kernels.wht;

import java.util.ArrayList;
import java.util.List;

import static dev.walsh.kernels.wht.FloatSylvester.BYTES;
import static dev.walsh.kernels.wht.FloatSylvester.LANES;

/** The passes over a float32 row that make up one transform, chosen once from its factors and the length of a vector. */
final class FloatPlan implements RowPlan {
  private static final int LOG2_LANES = Integer.numberOfTrailingZeros(LANES);

  /** The largest stride in bytes at which 16 rows of vectors are taken at once: beyond it they fall on one set of a cache of few ways. */
  private static final long WIDEST_OF_16 = 2 << 10;

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
    var builder = new Builder(factors.order() * channels, channels, scale);
    var atoms = HadamardMatrix.atoms(factors);
    if (atoms.isEmpty() || channels > 1 && scale != 1) {
      builder.addScale();
    }
    for (int i = atoms.size() - 1; i >= 0;) {
      if (atoms.get(i) == 2) {
        int log2 = 0;
        for (; i >= 0 && atoms.get(i) == 2; i--) {
          log2++;
        }
        builder.addSylvester(log2, i >= 0 && FloatCore.takesUpper(atoms.get(i)));
      } else {
        builder.addCore(new FloatCore(atoms.get(i--), transposed));
      }
    }
    return new FloatPlan(builder.passes, builder.scratchBytes);
  }

  /** The passes so far, from the innermost atom outwards. */
  private static final class Builder {
    private final List<Pass> passes = new ArrayList<>();
    private final int d;
    private int inner;
    private float scale;
    private long scratchBytes;

    /** Whether the stages between far lanes are still to be taken, by the next pass. */
    private boolean upper;

    Builder(int d, int channels, float scale) {
      this.d = d;
      inner = channels;
      this.scale = scale;
    }

    void addScale() {
      float factor = takeScale();
      passes.add((in, out, rows, scratch) -> FloatSylvester.within(in, out, rows * d, 0, factor));
    }

    void addCore(FloatCore core) {
      long blocks = d / (core.order() * inner);
      long stride = 4L * inner;
      float factor = takeScale();
      boolean withUpper = takeUpper();
      passes.add((in, out, rows, scratch) -> core.apply(in, out, rows * blocks, stride, withUpper, factor, scratch));
      scratchBytes = Math.max(scratchBytes, core.scratchBytes());
      inner *= core.order();
    }

    /** A Sylvester matrix of order 2^log2; a pass that follows it may take over the stages between far lanes. */
    void addSylvester(int log2, boolean coreTakesUpper) {
      int left = inner == 1 ? log2 - addNeighbours(log2, coreTakesUpper) : log2;
      while (left > 0) {
        long stride = 4L * inner;
        int stages = stride % BYTES != 0 || left == 1 ? 1 : left == 2 ? 2 : left == 4 ? stride <= WIDEST_OF_16 ? 4 : 2 : 3;
        addStrides(stages, stride);
        left -= stages;
      }
    }

    private void addStrides(int stages, long stride) {
      long blocks = d / ((long) inner << stages);
      boolean withUpper = takeUpper();
      passes.add(stride % BYTES != 0
          ? (in, out, rows, scratch) -> FloatStrides.radix2Unaligned(in, out, rows * blocks, stride)
          : switch (stages) {
            case 1 -> (in, out, rows, scratch) -> FloatStrides.radix2(in, out, rows * blocks, stride, withUpper);
            case 2 -> (in, out, rows, scratch) -> FloatStrides.radix4(in, out, rows * blocks, stride, withUpper);
            case 3 -> (in, out, rows, scratch) -> FloatStrides.radix8(in, out, rows * blocks, stride, withUpper);
            default -> (in, out, rows, scratch) -> FloatStrides.radix16(in, out, rows * blocks, stride, withUpper);
          });
      inner <<= stages;
    }

    /** The first pass of a Sylvester matrix of order 2^log2 on neighbours; returns how many of its stages are taken or promised. */
    private int addNeighbours(int log2, boolean coreTakesUpper) {
      float factor = takeScale();
      int between = log2 - LOG2_LANES;
      if (between < 2) {
        int stages = Math.min(log2, LOG2_LANES);
        passes.add((in, out, rows, scratch) -> FloatSylvester.within(in, out, rows * d, stages, factor));
        inner <<= stages;
        return stages;
      }
      int taken = between <= 4 && coreTakesUpper ? between : between == 4 ? 2 : between % 3 == 0 || between == 5 ? 3 : Math.min(between, 4);
      upper = coreTakesUpper || taken < between;
      long blocks = d / ((long) LANES << taken);
      boolean lower = upper;
      passes.add(switch (taken) {
        case 2 -> lower
            ? (in, out, rows, scratch) -> FloatNeighbours.lower4(in, out, rows * blocks, factor)
            : (in, out, rows, scratch) -> FloatNeighbours.whole4(in, out, rows * blocks, factor);
        case 3 -> lower
            ? (in, out, rows, scratch) -> FloatNeighbours.lower8(in, out, rows * blocks, factor)
            : (in, out, rows, scratch) -> FloatNeighbours.whole8(in, out, rows * blocks, factor);
        default -> (in, out, rows, scratch) -> FloatNeighbours.lower16(in, out, rows * blocks, factor);
      });
      inner <<= LOG2_LANES + taken;
      return LOG2_LANES + taken;
    }

    private float takeScale() {
      float taken = scale;
      scale = 1;
      return taken;
    }

    private boolean takeUpper() {
      boolean taken = upper;
      upper = false;
      return taken;
    }
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
