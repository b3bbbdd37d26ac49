package dev.walsh.kernels.hla;

import dev.walsh.kernels.nn.KernelCache;
import dev.walsh.kernels.nn.Rope;
import dev.walsh.tensor.CudaModule;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * {@code token.cu}: a token of each of many sequences on the GPU in bf16, from packed queries, keys and values to the concatenated heads in one
 * kernel, for untied factors of alike softplus or exp features. It reads the maps where the weights are, so that these may change between steps.
 */
final class CudaToken {
  /**
   * What the kernel is compiled for.
   *
   * @param splits blocks that share a head
   * @param teams of a block, with a thread for each column
   */
  private record Shape(int maps, int rank, int width, int heads, boolean rotated, boolean exp, int splits, int teams) {
    static Shape of(HlaSpec spec, long sequences) {
      long heads = sequences * spec.heads();
      int splits = splits(spec, heads);
      return new Shape(spec.factors().size(), spec.features(0), spec.headWidth(), spec.heads(), spec.rotation() == Rotation.BEFORE,
          spec.factors().getFirst() instanceof FeatureMap.Exp, splits, teams(spec, splits, heads * splits <= CudaModule.multiprocessors()));
    }

    /** More than one where heads are fewer than multiprocessors, as long as each block has much to read. */
    private static int splits(HlaSpec spec, long heads) {
      if (!CudaModule.hasClusters()) return 1;
      long wanted = Math.min(CudaModule.multiprocessors() / heads, spec.stateBytes() / LEAST_BYTES);
      long possible = Math.min(MOST_SPLITS, Long.lowestOneBit(spec.stateEntries() / QUAD));
      return (int) Long.highestOneBit(Math.clamp(wanted, 1, possible));
    }

    /** As many as a block may have, or half of them where these have few turns: then more blocks share a multiprocessor. */
    private static int teams(HlaSpec spec, int splits, boolean alone) {
      int most = Integer.highestOneBit(MOST_THREADS / (spec.headWidth() + 1));
      long turns = spec.stateEntries() / QUAD / splits / (most / 2);
      return turns <= (alone ? FEW_TURNS_ALONE : FEW_TURNS) ? most / 2 : most;
    }

    int threads() {
      return Math.ceilDiv(teams * (width + 1), WARP) * WARP;
    }
  }

  /**
   * The maps of a factor.
   *
   * @param weight (2,H,r,D), of queries and of keys
   * @param bias (2,H,r,1)
   * @param curvature (1,D) float32
   */
  record Maps(Tensor weight, Tensor bias, Tensor curvature) {}

  private static final KernelCache<Shape, CudaModule.Kernel> KERNELS = new KernelCache<>("Tokens of linear attention", CudaToken::compile);
  private static final int WARP = 32;
  private static final int MOST_FACTORS = 3;
  private static final int ARGUMENTS_A_MAP = 4;
  private static final int MOST_RANK = 64;
  private static final int MOST_WIDTH = 128;
  private static final int RANK_MULTIPLE = 8;
  private static final int WIDTH_MULTIPLE = 16;
  /** Rows of the state that a team has at a time. */
  private static final int QUAD = 4;
  private static final int MOST_THREADS = 544;
  /** Vectors of the state that a thread has on the way. */
  private static final int AHEAD = 8;
  private static final int MOST_SPLITS = 8;
  /** Of a head's state, for a block of its own: what it has read when the token comes. */
  private static final int LEAST_BYTES = 1 << 16;
  /** Of a team, each with four rows: on a multiprocessor with other blocks, or alone there. */
  private static final int FEW_TURNS = 16;
  private static final int FEW_TURNS_ALONE = 4;

  private final HlaSpec spec;
  private final List<Maps> maps;

  private CudaToken(HlaSpec spec, List<Maps> maps) {
    this.spec = spec;
    this.maps = maps;
  }

  /** @return null where the kernel does not compute such an attention */
  static @Nullable CudaToken of(HlaSpec spec, List<Maps> maps) {
    var map = spec.factors().getFirst();
    int rank = spec.features(0);
    boolean isKnown = map instanceof FeatureMap.Softplus || map instanceof FeatureMap.Exp;
    boolean isAlike = !spec.isPacked() && spec.factors().size() <= MOST_FACTORS && spec.factors().stream().allMatch(map::equals);
    boolean isWhole = spec.causal() && spec.normalizer() == Normalizer.SUM && spec.rotation() != Rotation.AFTER;
    boolean fits = rank % RANK_MULTIPLE == 0 && rank <= MOST_RANK && spec.headWidth() % WIDTH_MULTIPLE == 0
        && spec.headWidth() <= MOST_WIDTH;
    return isKnown && isAlike && isWhole && fits ? new CudaToken(spec, maps) : null;
  }

  private static CudaModule.Kernel compile(Shape of) {
    return CudaKernels.compile("token", "MAPS=" + of.maps, "RANK=" + of.rank, "WIDTH=" + of.width, "HEADS=" + of.heads,
        "ROTATED=" + (of.rotated ? 1 : 0), "EXP=" + (of.exp ? 1 : 0), "LEAST=" + FeatureMaps.leastLogarithm(of.maps) + "f",
        "SPLITS=" + of.splits, "TEAMS=" + of.teams, "AHEAD=" + AHEAD).kernel("token", 0);
  }

  /** Whether the machine runs the kernel of so many sequences. */
  boolean isThere(long sequences) {
    return KERNELS.of(Shape.of(spec, sequences)) != null;
  }

  /** As {@link Hla#steps}. */
  Tensor apply(Tensor packed, Rope rope, Tensor positions, Tensor active, HlaState state) {
    long sequences = packed.size(0);
    var shape = Shape.of(spec, sequences);
    var kernel = KERNELS.of(shape);
    if (kernel == null) throw new IllegalStateException("no kernel computes a token of " + sequences + " sequences");
    var out = torch.empty(new long[] {sequences, (long) spec.heads() * spec.headWidth()}, packed.options(), null);
    kernel.launchEarly(Math.toIntExact(sequences * spec.heads() * shape.splits), shape.threads(),
        arguments(List.of(packed, out, state.sums().getFirst(), positions, active, rope.frequencies()), state.scales()));
    return out;
  }

  /** Of maps that there are none of, zeros. */
  private long[] arguments(List<Tensor> ofAllMaps, List<Tensor> scales) {
    var arguments = new ArrayList<@Nullable Tensor>(ofAllMaps);
    for (int i = 0; i < maps.size(); i++) {
      var map = maps.get(i);
      arguments.addAll(List.of(map.weight, map.bias, map.curvature));
      arguments.add(i < scales.size() ? scales.get(i) : null);
    }
    var packed = arguments.stream().mapToLong(CudaModule::argument).toArray();
    return Arrays.copyOf(packed, ofAllMaps.size() + MOST_FACTORS * ARGUMENTS_A_MAP);
  }
}
