package dev.walsh.kernels.nn;

import dev.walsh.kernels.wht.RowPool;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Memory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.bytedeco.pytorch.Tensor;

/**
 * The losses of rows of bf16 logits and their gradient on the CPU, in the Vector API: a row is widened into cache, and the gradient written where
 * the logits were. libtorch makes two copies in float32 of all logits, and their gradient as a third.
 */
final class CpuCrossEntropy implements LossKernels {
  static final CpuCrossEntropy INSTANCE = new CpuCrossEntropy();

  private static final int LANES = Bf16Lanes.FLOATS.length();

  private CpuCrossEntropy() {}

  @Override
  public void gradient(Tensor logits, Tensor targets, Tensor losses, float weight) {
    int columns = (int) logits.size(1);
    var matrix = Memory.of(logits);
    var ids = Memory.of(targets);
    var sums = Memory.of(losses);
    RowPool.of(Device.threads()).run(losses.numel(), 2L * columns * Short.BYTES, (_, from, to) -> {
      var wide = new float[columns];
      for (long row = from; row < to; row++) {
        var line = matrix.asSlice(row * columns * Short.BYTES, (long) columns * Short.BYTES);
        long id = ids.getAtIndex(ValueLayout.JAVA_LONG, row);
        boolean known = id >= 0 && id < columns;
        float loss = known ? row(line, (int) id, wide, weight) : spoil(line, columns);
        sums.setAtIndex(ValueLayout.JAVA_FLOAT, row, loss);
      }
    });
  }

  private static float row(MemorySegment line, int id, float[] wide, float weight) {
    float most = widen(line, wide);
    float target = wide[id];
    float sum = exponentiate(wide, most);
    float factor = weight / sum;
    float atTarget = wide[id] * factor - weight;
    narrow(wide, factor, line);
    line.setAtIndex(ValueLayout.JAVA_SHORT, id, Bf16Lanes.narrow(atTarget));
    return (float) Math.log(sum) + most - target;
  }

  /** An unknown id, which is in no column: its row is not a number. */
  private static float spoil(MemorySegment line, int columns) {
    for (int i = 0; i < columns; i++) line.setAtIndex(ValueLayout.JAVA_SHORT, i, Bf16Lanes.narrow(Float.NaN));
    return Float.NaN;
  }

  /** Widens the logits, and gives the greatest of them. */
  private static float widen(MemorySegment line, float[] wide) {
    var most = FloatVector.broadcast(Bf16Lanes.FLOATS, Float.NEGATIVE_INFINITY);
    int i = 0;
    for (; i + LANES <= wide.length; i += LANES) {
      var x = Bf16Lanes.load(line, i);
      x.intoArray(wide, i);
      most = most.max(x);
    }
    float greatest = most.reduceLanes(VectorOperators.MAX);
    for (; i < wide.length; i++) {
      wide[i] = Bf16Lanes.widen(line.getAtIndex(ValueLayout.JAVA_SHORT, i));
      greatest = Math.max(greatest, wide[i]);
    }
    return greatest;
  }

  /** Puts exp(x − most) for x, and gives their sum. */
  private static float exponentiate(float[] wide, float most) {
    var a = FloatVector.zero(Bf16Lanes.FLOATS);
    int i = 0;
    for (; i + LANES <= wide.length; i += LANES) {
      var e = FloatVector.fromArray(Bf16Lanes.FLOATS, wide, i).sub(most).lanewise(VectorOperators.EXP);
      e.intoArray(wide, i);
      a = a.add(e);
    }
    float sum = a.reduceLanes(VectorOperators.ADD);
    for (; i < wide.length; i++) {
      wide[i] = (float) Math.exp(wide[i] - most);
      sum += wide[i];
    }
    return sum;
  }

  private static void narrow(float[] wide, float factor, MemorySegment line) {
    int i = 0;
    for (; i + LANES <= wide.length; i += LANES) Bf16Lanes.store(FloatVector.fromArray(Bf16Lanes.FLOATS, wide, i).mul(factor), line, i);
    for (; i < wide.length; i++) line.setAtIndex(ValueLayout.JAVA_SHORT, i, Bf16Lanes.narrow(wide[i] * factor));
  }

  @Override
  public void scale(Tensor values, Tensor factor) {
    if (factor.item_double() != 1) values.mul_(factor);
  }
}
