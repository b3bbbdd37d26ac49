package dev.walsh.kernels.wht;

import java.lang.foreign.MemorySegment;
import java.util.List;

/** The fused operator as plain loops in float64, rounded once: what the other implementations are tested against. */
public final class ReferenceJoin implements HadamardJoin {
  private final int d;
  private final double scale;
  private final double eps;
  private final List<HadamardAtom> atoms;
  private final RowPool pool;

  ReferenceJoin(HadamardFactors factors, int channels, double eps, int threads) {
    if (channels < 1) {
      throw new IllegalArgumentException("a head needs at least one channel, not " + channels);
    }
    d = Math.multiplyExact(factors.order(), channels);
    scale = 1 / Math.sqrt(factors.order());
    this.eps = eps;
    atoms = HadamardMatrix.atoms(factors);
    pool = RowPool.of(threads);
  }

  @Override
  public int width() {
    return d;
  }

  @Override
  public String describe() {
    return "reference (scalar, " + pool.threads() + " threads)";
  }

  @Override
  public void forward(ElementType type, long rows, MemorySegment y, MemorySegment x, Weights weights, MemorySegment xOut,
      MemorySegment n) {
    var call = JoinCall.forward(d, type, rows, y, x, weights, xOut, n);
    var alpha = vector(call.alpha());
    var beta = vector(call.beta());
    var gain = vector(call.gain());
    pool.run(rows, call.bytesPerRow(), (chunk, from, to) -> {
      var z = new double[d];
      var sum = new double[d];
      for (long r = from; r < to; r++) {
        load(call.y(), r, z);
        load(call.x(), r, sum);
        Reference.multiply(atoms, z, false);
        for (int i = 0; i < d; i++) {
          sum[i] += alpha[i] * scale * z[i] + beta[i];
        }
        store(call.xOut(), r, sum);
        load(call.xOut(), r, sum);
        double inverse = inverseRms(sum);
        for (int i = 0; i < d; i++) {
          sum[i] *= inverse * gain[i];
        }
        store(call.n(), r, sum);
      }
    });
  }

  @Override
  public void backward(ElementType type, long rows, MemorySegment y, MemorySegment xOut, Weights weights, MemorySegment dxOut,
      MemorySegment dn, MemorySegment dy, MemorySegment dx, Weights gradients) {
    var call = JoinCall.backward(d, type, rows, y, xOut, weights, dxOut, dn, dy, dx, gradients);
    var alpha = vector(call.alpha());
    var gain = vector(call.gain());
    var partial = new double[pool.chunks(rows, call.bytesPerRow())][3 * d];
    pool.run(rows, call.bytesPerRow(), (chunk, from, to) -> {
      var z = new double[d];
      var x = new double[d];
      var e = new double[d];
      var g = new double[d];
      var sums = partial[chunk];
      for (long r = from; r < to; r++) {
        load(call.y(), r, z);
        load(call.xOut(), r, x);
        load(call.dxOut(), r, e);
        load(call.dn(), r, g);
        Reference.multiply(atoms, z, false);
        double inverse = inverseRms(x);
        double dot = 0;
        for (int i = 0; i < d; i++) {
          dot += g[i] * gain[i] * x[i];
        }
        double pull = inverse * inverse * inverse * dot / d;
        for (int i = 0; i < d; i++) {
          e[i] += inverse * g[i] * gain[i] - pull * x[i];
          sums[i] += e[i] * scale * z[i];
          sums[d + i] += e[i];
          sums[2 * d + i] += g[i] * inverse * x[i];
          z[i] = e[i] * scale * alpha[i];
        }
        Reference.multiply(atoms, z, true);
        store(call.dy(), r, z);
        store(call.dx(), r, e);
      }
    });
    call.storeGradients(partial);
  }

  private double inverseRms(double[] x) {
    double squares = 0;
    for (double value : x) {
      squares += value * value;
    }
    return 1 / Math.sqrt(squares / d + eps);
  }

  private double[] vector(Rows rows) {
    var vector = new double[d];
    load(rows, 0, vector);
    return vector;
  }

  private static void load(Rows rows, long row, double[] into) {
    for (int i = 0; i < into.length; i++) {
      into[i] = rows.type().load(rows.address(row) + (long) i * rows.type().bytes());
    }
  }

  private static void store(Rows rows, long row, double[] from) {
    for (int i = 0; i < from.length; i++) {
      rows.type().store(rows.address(row) + (long) i * rows.type().bytes(), from[i]);
    }
  }
}
