package dev.walsh.kernels.wht;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The transform as plain loops: each row is widened to float64, multiplied by one Kronecker atom after the other, and rounded once.
 *
 * <p>It is what the other implementations are tested against, and what runs where the JVM has no Vector API.
 */
public final class Reference implements CpuWht {
  private static final AtomicBoolean WARNED = new AtomicBoolean();

  private final HadamardFactors factors;
  private final int width;
  private final double scale;
  private final RowPool pool;
  private final List<HadamardAtom> atoms;
  private final boolean sequency;

  Reference(HadamardFactors factors, double scale, int threads) {
    this(factors, HadamardVariant.NATURAL, scale, threads);
  }

  Reference(HadamardFactors factors, HadamardVariant variant, double scale, int threads) {
    variant.check(factors);
    this.factors = factors;
    width = factors.order();
    this.scale = scale;
    pool = RowPool.of(threads);
    atoms = HadamardMatrix.atoms(factors, variant);
    sequency = variant == HadamardVariant.SEQUENCY;
  }

  /** Says, once, that the Vector API is off and which flag mends it. */
  static void warnOnce() {
    if (!WARNED.getAndSet(true)) {
      System.getLogger("walsh").log(System.Logger.Level.WARNING,
          "The Vector API is off, so transforms run scalar and many times slower: start the JVM with --add-modules jdk.incubator.vector.");
    }
  }

  @Override
  public HadamardFactors factors() {
    return factors;
  }

  @Override
  public int width() {
    return width;
  }

  @Override
  public String describe() {
    return "reference (scalar, " + pool.threads() + " threads)";
  }

  @Override
  public void transform(ElementType type, Direction direction, long rows, MemorySegment in, long inStride, MemorySegment out,
      long outStride) {
    int d = width;
    var source = Rows.of(in, rows, d, inStride, type);
    var target = Rows.of(out, rows, d, outStride, type);
    source.checkAliasing(target);
    pool.run(rows, (long) d * type.bytes(), (chunk, from, to) -> {
      var row = new double[d];
      for (long r = from; r < to; r++) {
        for (int i = 0; i < d; i++) {
          row[i] = type.load(source.address(r) + (long) i * type.bytes()) * scale;
        }
        multiply(atoms, row, direction == Direction.TRANSPOSE);
        for (int i = 0; i < d; i++) {
          int place = sequency ? HadamardVariant.naturalRow(i, atoms.size()) : i;
          type.store(target.address(r) + (long) i * type.bytes(), row[place]);
        }
      }
    });
  }

  /** The row times (signs ⊗ I), in place, I being what the atoms leave of the row's width. */
  static void multiply(List<HadamardAtom> atoms, double[] row, boolean transposed) {
    int inner = row.length;
    for (var factor : atoms) {
      int atom = factor.order();
      inner /= atom;
      var signs = factor.signs();
      var sums = new double[atom];
      for (int block = 0; block < row.length; block += atom * inner) {
        for (int lane = 0; lane < inner; lane++) {
          for (int j = 0; j < atom; j++) {
            double sum = 0;
            for (int i = 0; i < atom; i++) {
              sum += signs[transposed ? j * atom + i : i * atom + j] * row[block + i * inner + lane];
            }
            sums[j] = sum;
          }
          for (int j = 0; j < atom; j++) {
            row[block + j * inner + lane] = sums[j];
          }
        }
      }
    }
  }
}
