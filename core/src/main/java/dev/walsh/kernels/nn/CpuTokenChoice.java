package dev.walsh.kernels.nn;

import dev.walsh.kernels.wht.RowPool;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Download;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.IntPredicate;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/** {@link TokenChoice} on the CPU, for tensors of any device: limits are found by halving, and nothing is sorted. */
final class CpuTokenChoice {
  /** The step of SplitMix64's state. */
  static final long STEP = 0x9E3779B97F4A7C15L;

  private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
  private static final ThreadLocal<CpuTokenChoice> MINE = ThreadLocal.withInitial(CpuTokenChoice::new);

  private float[] logits = {};
  private float[] weights = {};

  private CpuTokenChoice() {}

  /** As {@link TokenChoice#apply}. */
  static void apply(Tensor logits, int tokens, Tensor rules, Tensor positions, Tensor seen, Tensor ids, Tensor made,
      Tensor turns) {
    try (var scope = Scope.withoutGradients()) {
      var wide = Memory.of(logits.to(Device.CPU.options(Dtype.F32), false, false, null));
      var rule = Memory.of(rules.cpu().contiguous()).toArray(ValueLayout.JAVA_LONG);
      var position = Memory.of(positions.cpu()).toArray(ValueLayout.JAVA_LONG);
      var before = seen.cpu();
      int rows = (int) logits.size(0);
      long width = logits.size(1);
      var chosen = new long[rows];
      RowPool.of(Device.threads()).run(rows, width * Float.BYTES, (_, from, to) -> {
        for (int row = (int) from; row < to; row++) {
          chosen[row] = MINE.get().choose(wide.asSlice(row * width * Float.BYTES), tokens, new Rules(rule, rows, row), position[row],
              Memory.of(before).asSlice(row * width));
        }
      });
      seen.copy_(before);
      var all = Memory.tensor(chosen, rows);
      ids.copy_(all.clamp_min(new Scalar(0)));
      made.scatter_(0, turns.cpu().remainder(new Scalar(Download.TURNS)).unsqueeze(0), all.unsqueeze(0));
      turns.add_(new Scalar(1));
    }
  }

  /** One row's column of the rules. */
  private record Rules(long[] all, int rows, int row) {
    long whole(int field) {
      return all[field * rows + row];
    }

    double real(int field) {
      return Double.longBitsToDouble(whole(field));
    }
  }

  private int choose(MemorySegment from, int tokens, Rules rules, long position, MemorySegment seen) {
    if (logits.length < tokens) {
      logits = new float[tokens];
      weights = new float[tokens];
    }
    MemorySegment.copy(from, ValueLayout.JAVA_FLOAT, 0, logits, 0, tokens);
    float penalty = (float) rules.real(TokenChoice.PENALTY);
    if (penalty != 1) penalise(tokens, seen, penalty);
    int best = best(tokens);
    if (best < 0) return best;
    double temperature = rules.real(TokenChoice.TEMPERATURE);
    int topK = (int) rules.whole(TokenChoice.TOP_K);
    int chosen = temperature == 0 || topK == 1
        ? best
        : draw(tokens, best, temperature, topK, rules.real(TokenChoice.TOP_P),
            uniform(rules.whole(TokenChoice.KEY), position));
    if (penalty != 1) seen.set(ValueLayout.JAVA_BYTE, chosen, (byte) 1);
    return chosen;
  }

  private void penalise(int tokens, MemorySegment seen, float penalty) {
    for (int id = 0; id < tokens; id++) {
      if (seen.get(ValueLayout.JAVA_BYTE, id) != 0) logits[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
    }
  }

  /** The first of the greatest logits; −1 where they are not finite numbers. Minus infinity forbids a token. */
  private int best(int tokens) {
    int best = 0;
    boolean finite = true;
    for (int id = 0; id < tokens; id++) {
      finite &= logits[id] < Float.POSITIVE_INFINITY;
      if (logits[id] > logits[best]) best = id;
    }
    return finite && logits[best] > Float.NEGATIVE_INFINITY ? best : -1;
  }

  private int draw(int tokens, int best, double temperature, int topK, double topP, double uniform) {
    // A factor that is zero or infinite would make no numbers of minus infinity and of zero.
    weigh(tokens, logits[best], (float) Math.clamp(1 / temperature, Float.MIN_NORMAL, Float.MAX_VALUE));
    int least = Integer.MIN_VALUE;
    if (topK > 0 && topK < tokens) least = greatest(key -> count(tokens, limit(key)) >= topK);
    if (topP < 1) {
      int byCount = least;
      double wanted = topP * mass(tokens, limit(least));
      least = Math.max(least, greatest(key -> mass(tokens, limit(Math.max(key, byCount))) >= wanted));
    }
    float limit = limit(least);
    double left = uniform * sum(tokens, limit);
    for (int id = 0; id < tokens; id++) {
      if (logits[id] < limit) continue;
      left -= weights[id];
      if (left < 0) return id;
    }
    return best;
  }

  /** The tokens' probabilities over that of the likeliest. */
  private void weigh(int tokens, float greatest, float scale) {
    int id = 0;
    for (int whole = FLOATS.loopBound(tokens); id < whole; id += FLOATS.length()) {
      FloatVector.fromArray(FLOATS, logits, id).sub(greatest).mul(scale).lanewise(VectorOperators.EXP).intoArray(weights, id);
    }
    for (; id < tokens; id++) weights[id] = (float) Math.exp((logits[id] - greatest) * scale);
  }

  private int count(int tokens, float limit) {
    int count = 0;
    for (int id = 0; id < tokens; id++) count += logits[id] >= limit ? 1 : 0;
    return count;
  }

  /** The weights of the logits that reach a limit, to float32. */
  private double mass(int tokens, float limit) {
    var sum = FloatVector.zero(FLOATS);
    int id = 0;
    for (int whole = FLOATS.loopBound(tokens); id < whole; id += FLOATS.length()) {
      var in = FloatVector.fromArray(FLOATS, logits, id).compare(VectorOperators.GE, limit);
      sum = sum.add(FloatVector.fromArray(FLOATS, weights, id), in);
    }
    double total = sum.reduceLanes(VectorOperators.ADD);
    for (; id < tokens; id++) total += logits[id] >= limit ? weights[id] : 0;
    return total;
  }

  /** The same in the order and the precision in which {@link #draw} counts it off. */
  private double sum(int tokens, float limit) {
    double sum = 0;
    for (int id = 0; id < tokens; id++) sum += logits[id] >= limit ? weights[id] : 0;
    return sum;
  }

  /** The greatest key at which {@code holds}, which is true of the least and of no key after the first that it is false of. */
  private static int greatest(IntPredicate holds) {
    int key = Integer.MIN_VALUE;
    for (int bit = Integer.SIZE - 1; bit >= 0; bit--) {
      int higher = key + (1 << bit);
      if (limit(higher) <= Float.POSITIVE_INFINITY && holds.test(higher)) key = higher;
    }
    return key;
  }

  /** The float of a key, keys being in the order of floats; minus infinity before all of them, NaN after. */
  private static float limit(int key) {
    int bits = key ^ (key >> 31 & Integer.MAX_VALUE);
    float value = Float.intBitsToFloat(bits);
    return Float.isNaN(value) && key < 0 ? Float.NEGATIVE_INFINITY : value;
  }

  /** The random number of a count, in [0, 1). */
  static double uniform(long key, long count) {
    return (TokenChoice.mix(key + (count + 1) * STEP) >>> 11) * 0x1p-53;
  }
}
