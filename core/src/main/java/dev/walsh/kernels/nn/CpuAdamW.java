package dev.walsh.kernels.nn;

import dev.walsh.kernels.wht.RowPool;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * AdamW over bf16 weights with float32 masters on the CPU, in the Vector API and in two passes over memory: the norm of the gradients, then all
 * the rest. libtorch's kernel wants gradients in float32, of which it needs a copy, and leaves the values to be rounded in one pass more.
 *
 * <p>Weights are cut into pieces, whose sums of squares are added in their order, so that the same gradients give the same bits on any number
 * of threads.
 */
final class CpuAdamW implements AdamWUpdate {
  private static final int LANES = Bf16Lanes.FLOATS.length();
  private static final int PIECE = 32768;
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();

  private final List<Parameter> parameters;
  private final Settings settings;
  private final Tensor stepCount;
  private final List<Piece> pieces = new ArrayList<>();
  private final List<Tensor> gradients = new ArrayList<>();

  /** Some elements of one weight. */
  private record Piece(int weight, long start, int elements) {
    /** Where the piece lies in a tensor of the weight's shape. */
    MemorySegment of(Tensor tensor) {
      long bytes = tensor.element_size();
      return Memory.of(tensor).asSlice(start * bytes, elements * bytes);
    }
  }

  /** What a step multiplies with. */
  private record Plan(float gradientScale, float stepSize, float rootCorrection, float decay) {}

  CpuAdamW(List<Parameter> parameters, Settings settings, Tensor stepCount) {
    this.parameters = List.copyOf(parameters);
    this.settings = settings;
    this.stepCount = stepCount;
    for (int i = 0; i < parameters.size(); i++) {
      long elements = parameters.get(i).master().numel();
      for (long start = 0; start < elements; start += PIECE) pieces.add(new Piece(i, start, (int) Math.min(PIECE, elements - start)));
    }
  }

  /** A step's only gradients are read as they are; where there are more, they are added up in float32. */
  @Override
  public void accumulate(List<Tensor> more) {
    try (var scope = Scope.withoutGradients()) {
      boolean first = gradients.isEmpty();
      for (int i = 0; i < more.size(); i++) {
        if (first) {
          gradients.add(scope.keep(more.get(i).contiguous()));
        } else {
          var soFar = gradients.get(i);
          if (wide(soFar)) {
            soFar.add_(more.get(i));
          } else {
            gradients.set(i, scope.keep(soFar.to(Dtype.F32.scalarType()).add_(more.get(i))));
            soFar.close();
          }
        }
      }
    }
  }

  private static boolean wide(Tensor gradient) {
    return Dtype.of(gradient) == Dtype.F32;
  }

  @Override
  public Tensor step(Tensor learningRate) {
    if (gradients.isEmpty()) throw new IllegalStateException("a step without a pass before it");
    try (var scope = Scope.withoutGradients()) {
      float norm = norm();
      if (Float.isFinite(norm)) {
        stepCount.add_(new Scalar(1));
        var plan = plan(norm, learningRate.item_double(), stepCount.item_double());
        each((_, piece) -> move(piece, plan));
      }
      release();
      return scope.escape(torch.full(new long[] {}, new Scalar(norm), Device.CPU.options(Dtype.F32)));
    }
  }

  private Plan plan(float norm, double rate, double step) {
    return new Plan(1 / Math.max(1, norm / (float) settings.clip()), (float) (rate / (1 - Math.pow(settings.beta1(), step))),
        (float) Math.sqrt(1 - Math.pow(settings.beta2(), step)), (float) (rate * settings.weightDecay()));
  }

  private interface Work {
    void of(int index, Piece piece);
  }

  private void each(Work work) {
    RowPool.of(Device.threads()).run(pieces.size(), (long) PIECE * Float.BYTES, (_, from, to) -> {
      for (int i = (int) from; i < to; i++) work.of(i, pieces.get(i));
    });
  }

  private float norm() {
    var squares = new float[pieces.size()];
    each((i, piece) -> {
      var gradient = gradients.get(piece.weight);
      squares[i] = squares(piece.of(gradient), wide(gradient), piece.elements);
    });
    double sum = 0;
    for (float s : squares) sum += s;
    return (float) Math.sqrt(sum);
  }

  private static float squares(MemorySegment gradient, boolean wide, int n) {
    var a = FloatVector.zero(Bf16Lanes.FLOATS);
    var b = a;
    int i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
      var x = vector(gradient, wide, i);
      var y = vector(gradient, wide, i + LANES);
      a = x.fma(x, a);
      b = y.fma(y, b);
    }
    float sum = a.add(b).reduceLanes(VectorOperators.ADD);
    for (; i < n; i++) {
      float g = element(gradient, wide, i);
      sum += g * g;
    }
    return sum;
  }

  private void move(Piece piece, Plan plan) {
    var p = parameters.get(piece.weight);
    var gradient = gradients.get(piece.weight);
    var from = piece.of(gradient);
    boolean wide = wide(gradient);
    var master = piece.of(p.master());
    var value = piece.of(p.value());
    var first = piece.of(p.firstMoment());
    var second = piece.of(p.secondMoment());
    float kept = 1 - (p.decayed() ? plan.decay : 0);
    float keep1 = (float) settings.beta1();
    float keep2 = (float) settings.beta2();
    float fresh1 = (float) (1 - settings.beta1());
    float fresh2 = (float) (1 - settings.beta2());
    float floor = (float) settings.epsilon();
    int i = 0;
    for (; i + LANES <= piece.elements; i += LANES) {
      var g = vector(from, wide, i).mul(plan.gradientScale);
      var m = floats(first, i).mul(keep1).add(g.mul(fresh1));
      var v = floats(second, i).mul(keep2).add(g.mul(g).mul(fresh2));
      var root = v.lanewise(VectorOperators.SQRT).div(plan.rootCorrection).add(floor);
      var w = floats(master, i).mul(kept).sub(m.mul(plan.stepSize).div(root));
      m.intoMemorySegment(first, (long) i * Float.BYTES, ORDER);
      v.intoMemorySegment(second, (long) i * Float.BYTES, ORDER);
      w.intoMemorySegment(master, (long) i * Float.BYTES, ORDER);
      Bf16Lanes.store(w, value, i);
    }
    for (; i < piece.elements; i++) {
      float g = element(from, wide, i) * plan.gradientScale;
      float m = first.getAtIndex(ValueLayout.JAVA_FLOAT, i) * keep1 + g * fresh1;
      float v = second.getAtIndex(ValueLayout.JAVA_FLOAT, i) * keep2 + g * g * fresh2;
      float root = (float) Math.sqrt(v) / plan.rootCorrection + floor;
      float w = master.getAtIndex(ValueLayout.JAVA_FLOAT, i) * kept - m * plan.stepSize / root;
      first.setAtIndex(ValueLayout.JAVA_FLOAT, i, m);
      second.setAtIndex(ValueLayout.JAVA_FLOAT, i, v);
      master.setAtIndex(ValueLayout.JAVA_FLOAT, i, w);
      value.setAtIndex(ValueLayout.JAVA_SHORT, i, Bf16Lanes.narrow(w));
    }
  }

  private static FloatVector vector(MemorySegment gradient, boolean wide, int at) {
    return wide ? floats(gradient, at) : Bf16Lanes.load(gradient, at);
  }

  private static float element(MemorySegment gradient, boolean wide, int at) {
    return wide ? gradient.getAtIndex(ValueLayout.JAVA_FLOAT, at) : Bf16Lanes.widen(gradient.getAtIndex(ValueLayout.JAVA_SHORT, at));
  }

  private static FloatVector floats(MemorySegment from, int at) {
    return FloatVector.fromMemorySegment(Bf16Lanes.FLOATS, from, (long) at * Float.BYTES, ORDER);
  }

  private void release() {
    gradients.forEach(Tensor::close);
    gradients.clear();
  }

  @Override
  public void close() {
    release();
  }
}
