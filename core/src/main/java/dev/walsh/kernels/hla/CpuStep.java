package dev.walsh.kernels.hla;

import dev.walsh.kernels.wht.RowPool;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * One token of {@link Chunked#proceed} on the CPU, in the Vector API: the state of untied factors is read and written once, where it lies, and its
 * products of features are never stored.
 */
final class CpuStep {
  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
  private static final int LANES = FLOATS.length();
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();

  private final int groups;
  private final int columns;
  private final int lead;
  // (G,lead) and (G,trails): the first factor's features, and the products of the others'
  private final float[] leadOfQueries;
  private final float[] leadOfKeys;
  private final float[] trailOfQueries;
  private final float[] trailOfKeys;
  private final float @Nullable [] decay;
  // (G,W)
  private final float[] summed;
  private final float[] out;
  private final MemorySegment state;

  private CpuStep(Operands x, @Nullable Tensor decay, Tensor state) {
    groups = (int) x.groups();
    columns = (int) x.columns();
    lead = (int) x.keys().getFirst().size(1);
    leadOfQueries = Memory.floats(x.queries().getFirst());
    leadOfKeys = Memory.floats(x.keys().getFirst());
    trailOfQueries = trailing(x.queries());
    trailOfKeys = trailing(x.keys());
    this.decay = decay == null ? null : Memory.floats(decay);
    summed = Memory.floats(x.summed(0, 1));
    out = new float[groups * columns];
    this.state = Memory.of(state);
  }

  /** @param entries of a state of the operands' features */
  static boolean covers(Operands x, long entries, Tensor state) {
    return state.is_cpu() && x.length() == 1 && Dtype.of(state) == Dtype.F32 && x.hasAllProducts(entries);
  }

  /**
   * The sums of the token's query, (G,1,W), over what the state (G,R,W), which goes on in place, holds with the token.
   *
   * @param decay (G,1), by what the state is multiplied before, or null
   */
  static Tensor run(Operands x, @Nullable Tensor decay, Tensor state) {
    var step = new CpuStep(x, decay, state);
    long bytes = 2L * Float.BYTES * step.columns * (step.state.byteSize() / Float.BYTES / step.columns / step.groups);
    RowPool.of(Device.threads()).run(step.groups, bytes, (_, from, to) -> {
      for (int g = (int) from; g < to; g++) step.group(g);
    });
    return Memory.tensor(step.out, step.groups, 1, step.columns);
  }

  /** (G,r_i,1) each -> (G, the product of all ranks but the first), the last factor's fastest. */
  private float[] trailing(List<Tensor> features) {
    var all = new float[groups];
    Arrays.fill(all, 1);
    for (var factor : features.subList(1, features.size())) {
      var of = Memory.floats(factor);
      int rank = of.length / groups;
      var longer = new float[all.length * rank];
      for (int i = 0; i < longer.length; i++) {
        int group = i / (longer.length / groups);
        longer[i] = all[i / rank] * of[group * rank + i % rank];
      }
      all = longer;
    }
    return all;
  }

  private void group(int g) {
    int trails = trailOfKeys.length / groups;
    float kept = decay == null ? 1 : decay[g];
    int of = g * columns;
    long at = (long) g * trails * lead * columns * Float.BYTES;
    for (int b = 0; b < trails; b++) {
      float key = trailOfKeys[g * trails + b];
      float query = trailOfQueries[g * trails + b];
      for (int a = 0; a < lead; a++, at += (long) columns * Float.BYTES) {
        row(at, of, kept, key * leadOfKeys[g * lead + a], query * leadOfQueries[g * lead + a]);
      }
    }
  }

  /** One row of the state: kept and added to, and added to the output. */
  private void row(long at, int of, float kept, float key, float query) {
    int w = 0;
    for (; w <= columns - LANES; w += LANES) {
      long place = at + (long) w * Float.BYTES;
      var held = FloatVector.fromMemorySegment(FLOATS, state, place, ORDER).mul(kept)
          .add(FloatVector.fromArray(FLOATS, summed, of + w).mul(key));
      held.intoMemorySegment(state, place, ORDER);
      FloatVector.fromArray(FLOATS, out, of + w).add(held.mul(query)).intoArray(out, of + w);
    }
    for (; w < columns; w++) {
      long place = at + (long) w * Float.BYTES;
      float held = state.get(ValueLayout.JAVA_FLOAT, place) * kept + summed[of + w] * key;
      state.set(ValueLayout.JAVA_FLOAT, place, held);
      out[of + w] += held * query;
    }
  }
}
