package dev.walsh.kernels.nn;

import dev.walsh.kernels.wht.RowPool;
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

/** Products of few rows with an {@link Int8Matrix} on the CPU, in the Vector API: the bytes are read once, and all sums are float32. */
final class CpuInt8 {
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
  private static final int LANES = FLOATS.length();
  // The shortest register; it may hold more bytes than there are floats in one, of which the first are taken.
  private static final VectorSpecies<Byte> BYTES = VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, LANES * Byte.SIZE)));

  private CpuInt8() {}

  /** x: (…,in), bf16 or float32, packed: (out,stride) -> (rows of x,out). */
  static Tensor multiply(Tensor x, Tensor packed) {
    int in = (int) x.size(-1);
    int rows = (int) (x.numel() / in);
    int outs = (int) packed.size(0);
    int stride = (int) packed.size(1);
    var wide = Memory.of(x.to(ScalarType.Float).contiguous()).toArray(ValueLayout.JAVA_FLOAT);
    var out = torch.empty(new long[] {rows, outs}, Device.CPU.options(Dtype.F32), null);
    var weight = Memory.of(packed);
    var to = Memory.of(out);
    RowPool.of(Device.threads()).run(outs, stride, (_, from, end) -> {
      for (int row = 0; row < rows; row++) {
        for (long o = from; o < end; o++) {
          float scale = weight.get(ValueLayout.JAVA_FLOAT_UNALIGNED, (o + 1) * stride - Int8Matrix.TRAILER);
          to.setAtIndex(ValueLayout.JAVA_FLOAT, (long) row * outs + o, scale * dot(weight, o * stride, wide, row * in, in));
        }
      }
    });
    return out.to(x.scalar_type());
  }

  private static float dot(MemorySegment weight, long at, float[] x, int offset, int n) {
    var a = FloatVector.zero(FLOATS);
    var b = FloatVector.zero(FLOATS);
    int i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
      a = widened(weight, at + i).fma(FloatVector.fromArray(FLOATS, x, offset + i), a);
      b = widened(weight, at + i + LANES).fma(FloatVector.fromArray(FLOATS, x, offset + i + LANES), b);
    }
    float sum = a.add(b).reduceLanes(VectorOperators.ADD);
    for (; i < n; i++) sum += weight.get(ValueLayout.JAVA_BYTE, at + i) * x[offset + i];
    return sum;
  }

  private static FloatVector widened(MemorySegment weight, long at) {
    return (FloatVector) ByteVector.fromMemorySegment(BYTES, weight, at, ByteOrder.nativeOrder()).convertShape(VectorOperators.B2F, FLOATS,
        0);
  }
}
