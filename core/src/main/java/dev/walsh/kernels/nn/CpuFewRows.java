package dev.walsh.kernels.nn;

import dev.walsh.kernels.wht.RowPool;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Products x Wᵀ of few rows on the CPU, in the Vector API, where no gradient is wanted: libtorch's read a matrix of bf16 or float32 several
 * times more slowly than memory gives it. W is read once, in bf16, float32 or the bytes of an {@link Int8Matrix}; sums are float32.
 */
final class CpuFewRows {
  /** From here on libtorch's products, which use matrix units, are faster. */
  private static final int MOST_ROWS = 4;

  private static final VectorSpecies<Float> FLOATS = Bf16Lanes.FLOATS;
  private static final int LANES = FLOATS.length();
  // The shortest register; it may hold more bytes than there are floats in one, of which the first are taken.
  private static final VectorSpecies<Byte> BYTES = VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, LANES * Byte.SIZE)));
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();

  private CpuFewRows() {}

  /** Whether this is faster than libtorch's; x: (…,in), weight: (out,in), or in bytes, for which more rows pay. */
  static boolean covers(Tensor x, Tensor weight, int mostRows) {
    if (!x.is_cpu() || x.numel() > (long) mostRows * x.size(-1) || x.numel() == 0 || CustomGradient.isWanted(x, weight)) return false;
    var dtype = Dtype.of(x);
    return (dtype == Dtype.BF16 || dtype == Dtype.F32) && weight.is_contiguous();
  }

  /** The same for matrices of floats. */
  static boolean covers(Tensor x, Tensor weight) {
    return covers(x, weight, MOST_ROWS) && Dtype.of(weight) == Dtype.of(x);
  }

  /** x: (…,in), bf16 or float32, weight: (out,in) of the same, or in bytes -> (…,out). */
  static Tensor multiply(Tensor x, Tensor weight) {
    int in = (int) x.size(-1);
    int rows = (int) (x.numel() / in);
    int outs = (int) weight.size(0);
    long stride = weight.size(1);
    var dtype = Dtype.of(weight);
    var wide = Memory.of(x.to(ScalarType.Float).contiguous()).toArray(ValueLayout.JAVA_FLOAT);
    var shape = x.shape();
    shape[shape.length - 1] = outs;
    var out = torch.empty(shape, Device.CPU.options(Dtype.F32), null);
    var from = Memory.of(weight);
    var to = Memory.of(out);
    RowPool.of(Device.threads()).run(outs, stride * dtype.bytes(), (_, first, end) -> {
      for (long o = first; o < end; o++) {
        int row = 0;
        if (dtype == Dtype.BF16) {
          for (; row + 4 <= rows; row += 4) four(from, o * stride, wide, row * in, in, to, outs, (long) row * outs + o);
        }
        for (; row < rows; row++) {
          to.setAtIndex(ValueLayout.JAVA_FLOAT, (long) row * outs + o, dot(dtype, from, o * stride, stride, wide, row * in, in));
        }
      }
    });
    return out.to(x.scalar_type());
  }

  /** Four rows at once, for which the matrix is widened once; {@code n} elements of each, the products go to every {@code step}-th place. */
  private static void four(MemorySegment weight, long at, float[] x, int offset, int n, MemorySegment to, long step, long place) {
    var a = FloatVector.zero(FLOATS);
    var b = FloatVector.zero(FLOATS);
    var c = FloatVector.zero(FLOATS);
    var d = FloatVector.zero(FLOATS);
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
      var w = Bf16Lanes.load(weight, at + i);
      a = w.fma(FloatVector.fromArray(FLOATS, x, offset + i), a);
      b = w.fma(FloatVector.fromArray(FLOATS, x, offset + n + i), b);
      c = w.fma(FloatVector.fromArray(FLOATS, x, offset + 2 * n + i), c);
      d = w.fma(FloatVector.fromArray(FLOATS, x, offset + 3 * n + i), d);
    }
    float[] sums = {a.reduceLanes(VectorOperators.ADD), b.reduceLanes(VectorOperators.ADD), c.reduceLanes(VectorOperators.ADD),
        d.reduceLanes(VectorOperators.ADD)};
    for (int row = 0; row < 4; row++) {
      for (int k = i; k < n; k++) sums[row] += Bf16Lanes.widen(weight.getAtIndex(ValueLayout.JAVA_SHORT, at + k)) * x[offset + row * n + k];
      to.setAtIndex(ValueLayout.JAVA_FLOAT, place + row * step, sums[row]);
    }
  }

  private static float dot(Dtype dtype, MemorySegment weight, long at, long stride, float[] x, int offset, int n) {
    return switch (dtype) {
      case BF16 -> halves(weight, at, x, offset, n);
      case F32 -> floats(weight, at, x, offset, n);
      case I8 -> bytes(weight, at, x, offset, n) * weight.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at + stride - Int8Matrix.TRAILER);
      case F64, F16, I64 -> throw new IllegalArgumentException("no product with a matrix of " + dtype);
    };
  }

  private static float bytes(MemorySegment weight, long at, float[] x, int offset, int n) {
    var a = FloatVector.zero(FLOATS);
    var b = FloatVector.zero(FLOATS);
    int i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
      a = ofBytes(weight, at + i).fma(FloatVector.fromArray(FLOATS, x, offset + i), a);
      b = ofBytes(weight, at + i + LANES).fma(FloatVector.fromArray(FLOATS, x, offset + i + LANES), b);
    }
    float sum = a.add(b).reduceLanes(VectorOperators.ADD);
    for (; i < n; i++) sum += weight.get(ValueLayout.JAVA_BYTE, at + i) * x[offset + i];
    return sum;
  }

  private static FloatVector ofBytes(MemorySegment weight, long at) {
    return (FloatVector) ByteVector.fromMemorySegment(BYTES, weight, at, ORDER).convertShape(VectorOperators.B2F, FLOATS, 0);
  }

  private static float halves(MemorySegment weight, long at, float[] x, int offset, int n) {
    var a = FloatVector.zero(FLOATS);
    var b = FloatVector.zero(FLOATS);
    int i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
      a = Bf16Lanes.load(weight, at + i).fma(FloatVector.fromArray(FLOATS, x, offset + i), a);
      b = Bf16Lanes.load(weight, at + i + LANES).fma(FloatVector.fromArray(FLOATS, x, offset + i + LANES), b);
    }
    float sum = a.add(b).reduceLanes(VectorOperators.ADD);
    for (; i < n; i++) sum += Bf16Lanes.widen(weight.getAtIndex(ValueLayout.JAVA_SHORT, at + i)) * x[offset + i];
    return sum;
  }

  private static float floats(MemorySegment weight, long at, float[] x, int offset, int n) {
    var a = FloatVector.zero(FLOATS);
    var b = FloatVector.zero(FLOATS);
    int i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
      a = ofFloats(weight, at + i).fma(FloatVector.fromArray(FLOATS, x, offset + i), a);
      b = ofFloats(weight, at + i + LANES).fma(FloatVector.fromArray(FLOATS, x, offset + i + LANES), b);
    }
    float sum = a.add(b).reduceLanes(VectorOperators.ADD);
    for (; i < n; i++) sum += weight.getAtIndex(ValueLayout.JAVA_FLOAT, at + i) * x[offset + i];
    return sum;
  }

  private static FloatVector ofFloats(MemorySegment weight, long at) {
    return FloatVector.fromMemorySegment(FLOATS, weight, at * Float.BYTES, ORDER);
  }
}
