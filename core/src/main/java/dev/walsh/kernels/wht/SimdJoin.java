package dev.walsh.kernels.wht;

import java.lang.foreign.MemorySegment;

import static dev.walsh.kernels.wht.FloatSylvester.BYTES;

/**
 * The fused operator on the Vector API: one row at a time, in float32, in first-level cache between its first read and last write.
 * Rows of float64 run on {@link ReferenceJoin}.
 */
public final class SimdJoin implements HadamardJoin {
  /** Gradients of the weights are summed in float32 for so many rows, then in float64. */
  private static final int ROWS_A_FLUSH = 128;

  private final int d;
  private final double eps;
  private final RowPool pool;
  private final FloatPlan forward;
  private final FloatPlan transposed;
  private final ReferenceJoin doubles;

  /** Scratch rows lie so many bytes further apart than they are long: rows of 4096 bytes would all fall on the same cache sets. */
  private static final long STAGGER = 320;

  /** The bytes of a float32 row, rounded up to whole vectors. */
  private final long rowBytes;

  SimdJoin(HadamardFactors factors, int channels, double eps, int threads) {
    doubles = new ReferenceJoin(factors, channels, eps, threads);
    d = doubles.width();
    float scale = (float) (1 / Math.sqrt(factors.order()));
    this.eps = eps;
    pool = RowPool.of(threads);
    var atoms = HadamardMatrix.atoms(factors);
    forward = FloatPlan.of(atoms, channels, false, scale);
    transposed = FloatPlan.of(atoms, channels, true, scale);
    rowBytes = Math.ceilDiv((long) d * Float.BYTES, BYTES) * BYTES;
  }

  @Override
  public int width() {
    return d;
  }

  @Override
  public String describe() {
    return "simd (" + FloatSylvester.S.vectorBitSize() + " bits, " + pool.threads() + " threads)";
  }

  @Override
  public void forward(ElementType type, long rows, MemorySegment y, MemorySegment x, Weights weights, MemorySegment xOut,
      MemorySegment n) {
    if (type == ElementType.F64) {
      doubles.forward(type, rows, y, x, weights, xOut, n);
      return;
    }
    var call = JoinCall.forward(d, type, rows, y, x, weights, xOut, n);
    pool.run(rows, call.bytesPerRow(), (chunk, from, to) -> forward(call, from, to));
  }

  private void forward(JoinCall call, long from, long to) {
    var bench = new Bench(4, call);
    long z = bench.row(0);
    long work = bench.scratch();
    for (long r = from; r < to; r++) {
      forward.apply(bench.read(call.y(), r, z), z, 1, work);
      long x = bench.read(call.x(), r, bench.row(1));
      long sum = bench.target(call.xOut(), r, bench.row(2));
      float squares = JoinKernels.residual(z, x, bench.alpha, bench.beta, sum, rowBytes);
      bench.write(call.xOut(), r, sum);
      if (call.xOut().type() != ElementType.F32) {
        sum = bench.read(call.xOut(), r, sum);
        squares = JoinKernels.sumOfSquares(sum, rowBytes);
      }
      long n = bench.target(call.n(), r, bench.row(3));
      JoinKernels.normalise(sum, inverseRms(squares), bench.gain, n, rowBytes);
      bench.write(call.n(), r, n);
    }
  }

  @Override
  public void backward(ElementType type, long rows, MemorySegment y, MemorySegment xOut, Weights weights, MemorySegment dxOut,
      MemorySegment dn, MemorySegment dy, MemorySegment dx, Weights gradients) {
    if (type == ElementType.F64) {
      doubles.backward(type, rows, y, xOut, weights, dxOut, dn, dy, dx, gradients);
      return;
    }
    var call = JoinCall.backward(d, type, rows, y, xOut, weights, dxOut, dn, dy, dx, gradients);
    var partial = new double[pool.chunks(rows, call.bytesPerRow())][3 * d];
    pool.run(rows, call.bytesPerRow(), (chunk, from, to) -> backward(call, from, to, partial[chunk]));
    call.storeGradients(partial);
  }

  private void backward(JoinCall call, long from, long to, double[] sums) {
    var bench = new Bench(8, call);
    long z = bench.row(0);
    long dAlpha = bench.row(5);
    long dBeta = bench.row(6);
    long dGain = bench.row(7);
    long work = bench.scratch();
    for (long r = from; r < to; r++) {
      forward.apply(bench.read(call.y(), r, z), z, 1, work);
      long x = bench.read(call.xOut(), r, bench.row(1));
      long dxOut = bench.read(call.dxOut(), r, bench.row(2));
      long dn = bench.read(call.dn(), r, bench.row(3));
      float inverse = inverseRms(JoinKernels.sumOfSquares(x, rowBytes));
      float pull = inverse * inverse * inverse * JoinKernels.pull(x, dn, bench.gain, rowBytes) / d;
      long e = bench.row(4);
      JoinKernels.reach(x, dxOut, dn, bench.gain, inverse, pull, e, rowBytes);
      JoinKernels.accumulate(e, z, x, dn, bench.alpha, inverse, dAlpha, dBeta, dGain, rowBytes);
      bench.write(call.dx(), r, e);
      transposed.apply(z, z, 1, work);
      bench.write(call.dy(), r, z);
      if ((r - from) % ROWS_A_FLUSH == ROWS_A_FLUSH - 1 || r == to - 1) {
        flush(dAlpha, sums, 0);
        flush(dBeta, sums, d);
        flush(dGain, sums, 2 * d);
      }
    }
  }

  private void flush(long floats, double[] sums, int offset) {
    for (int i = 0; i < d; i++) {
      sums[offset + i] += RawMemory.getFloat(floats + 4L * i);
      RawMemory.putFloat(floats + 4L * i, 0);
    }
  }

  private float inverseRms(float squares) {
    return (float) (1 / Math.sqrt(squares / d + eps));
  }

  /** One thread's float32 rows in scratch memory, zero beyond the width, and the weights. */
  private final class Bench {
    private final long rows;
    private final int count;
    private final long alpha;
    private final long beta;
    private final long gain;

    Bench(int count, JoinCall call) {
      this.count = count;
      long work = Math.max(forward.scratchBytes(1), transposed.scratchBytes(1));
      rows = RawMemory.scratch((count + 3) * (rowBytes + STAGGER) + work);
      RawMemory.ALL.asSlice(rows, (count + 3) * (rowBytes + STAGGER)).fill((byte) 0);
      alpha = read(call.alpha(), 0, row(count));
      beta = read(call.beta(), 0, row(count + 1));
      gain = read(call.gain(), 0, row(count + 2));
    }

    long row(int i) {
      return rows + i * (rowBytes + STAGGER);
    }

    /** The memory after the rows, for the transform. */
    long scratch() {
      return row(count + 3);
    }

    /** Whether a row can be used where it lies: float32, in whole vectors. */
    private boolean direct(Rows matrix) {
      return matrix.type() == ElementType.F32 && rowBytes == (long) d * Float.BYTES;
    }

    /** The address of a row of the matrix as float32: its own, or {@code copy} after widening into it. */
    long read(Rows matrix, long row, long copy) {
      if (direct(matrix)) {
        return matrix.address(row);
      }
      if (matrix.type() == ElementType.F32) {
        MemorySegment.copy(RawMemory.ALL, matrix.address(row), RawMemory.ALL, copy, (long) d * Float.BYTES);
      } else {
        HalfFloats.widen(matrix.type(), matrix.address(row), copy, d);
      }
      return copy;
    }

    /** Where to write a float32 row of the matrix: its own address, or {@code copy}, to be written after. */
    long target(Rows matrix, long row, long copy) {
      return direct(matrix) ? matrix.address(row) : copy;
    }

    /** Writes the row unless it lies there already. */
    void write(Rows matrix, long row, long from) {
      long to = matrix.address(row);
      if (matrix.type() != ElementType.F32) {
        HalfFloats.narrow(matrix.type(), from, to, d);
      } else if (from != to) {
        MemorySegment.copy(RawMemory.ALL, from, RawMemory.ALL, to, (long) d * Float.BYTES);
      }
    }
  }
}
