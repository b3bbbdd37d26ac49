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
   * @param atoms the Kronecker factors of the signs, outermost first
   * @param channels the order of the identity I; 1 for the matrix alone
   */
  static FloatPlan of(List<HadamardAtom> atoms, int channels, boolean transposed, float scale) {
    var builder = new Builder(HadamardMatrix.order(atoms) * channels, channels, scale);
    if (atoms.isEmpty() || channels > 1 && scale != 1) {
      builder.addScale();
    }
    for (int i = atoms.size() - 1; i >= 0;) {
      if (atoms.get(i).isSylvester()) {
        int log2 = 0;
        for (; i >= 0 && atoms.get(i).isSylvester(); i--) {
          log2++;
        }
        builder.addSylvester(log2, i >= 0 && FloatCore.takesStages(atoms.get(i), log2));
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

    /** Whether stages inside a vector are left to the next pass. */
    private boolean deferred;

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
      boolean handedOn = takeDeferred();
      passes.add((in, out, rows, scratch) -> core.apply(in, out, rows * blocks, stride, handedOn, factor, scratch));
      scratchBytes = Math.max(scratchBytes, core.scratchBytes());
      inner *= core.order();
    }

    /** A Sylvester matrix of order 2^log2, of which the core that follows may take over stages. */
    void addSylvester(int log2, boolean coreTakesStages) {
      int left = inner == 1 ? log2 - addNeighbours(log2, coreTakesStages) : log2;
      while (left > 0) {
        long stride = 4L * inner;
        int stages = stride % BYTES != 0 ? 1 : stages(left, stride);
        addStrides(stages, stride);
        left -= stages;
      }
    }

    /** How many of the stages that are left a pass takes: three at a time, and a last four at once where the stride allows it. */
    private static int stages(int left, long stride) {
      if (left == 1 || left % 3 != 1) {
        return Math.min(left, 3);
      }
      return stride <= WIDEST_OF_16 ? 4 : 2;
    }

    private void addStrides(int stages, long stride) {
      long blocks = d / ((long) inner << stages);
      boolean handedOn = takeDeferred();
      passes.add(stride % BYTES != 0
          ? (in, out, rows, scratch) -> FloatStrides.radix2Unaligned(in, out, rows * blocks, stride)
          : switch (stages) {
            case 1 -> (in, out, rows, scratch) -> FloatStrides.radix2(in, out, rows * blocks, stride, handedOn);
            case 2 -> (in, out, rows, scratch) -> FloatStrides.radix4(in, out, rows * blocks, stride, handedOn);
            case 3 -> (in, out, rows, scratch) -> FloatStrides.radix8(in, out, rows * blocks, stride, handedOn);
            default -> (in, out, rows, scratch) -> FloatStrides.radix16(in, out, rows * blocks, stride, handedOn);
          });
      inner <<= stages;
    }

    /** The first pass of a Sylvester matrix of order 2^log2 on neighbours; returns how many of its stages are seen to. */
    private int addNeighbours(int log2, boolean coreTakesStages) {
      int between = log2 - LOG2_LANES;
      if (between < 2) {
        return addWithin(Math.min(log2, LOG2_LANES), coreTakesStages);
      }
      int taken = between == 2 || between == 4 || between == 5 ? 2 : 3;
      boolean lower = taken < between || coreTakesStages;
      deferred = lower;
      long blocks = d / ((long) LANES << taken);
      float factor = takeScale();
      passes.add(switch (taken) {
        case 2 -> lower
            ? (in, out, rows, scratch) -> FloatNeighbours.lower4(in, out, rows * blocks, factor)
            : (in, out, rows, scratch) -> FloatNeighbours.whole4(in, out, rows * blocks, factor);
        default -> lower
            ? (in, out, rows, scratch) -> FloatNeighbours.lower8(in, out, rows * blocks, factor)
            : (in, out, rows, scratch) -> FloatNeighbours.whole8(in, out, rows * blocks, factor);
      });
      inner <<= LOG2_LANES + taken;
      return LOG2_LANES + taken;
    }

    private int addWithin(int stages, boolean coreTakesStages) {
      if (coreTakesStages) {
        deferred = true;
      } else {
        float factor = takeScale();
        passes.add((in, out, rows, scratch) -> FloatSylvester.within(in, out, rows * d, stages, factor));
      }
      inner <<= stages;
      return stages;
    }

    private float takeScale() {
      float taken = scale;
      scale = 1;
      return taken;
    }

    private boolean takeDeferred() {
      boolean taken = deferred;
      deferred = false;
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
