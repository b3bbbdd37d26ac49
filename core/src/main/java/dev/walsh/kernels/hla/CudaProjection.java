package dev.walsh.kernels.hla;

import dev.walsh.kernels.nn.KernelCache;
import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * {@code project.cu} and {@code pull_projection.cu}: the softplus features of all factors from the tokens themselves, on the GPU in bf16, and
 * their gradient, each in one pass over the tokens. Nothing is kept for backward but what went in.
 */
final class CudaProjection {
  /** What the kernels are compiled for. */
  private record Shape(boolean keys, int maps, int rank, int width) {
    /** All features of a token. */
    int features() {
      return maps * rank;
    }

    /** Of the gradient's blocks, so many a multiprocessor: their sums are in registers. */
    int blocksPulling() {
      return features() > MOST_FEATURES / 2 ? 2 : 3;
    }
  }

  /**
   * One map: softplus of a projection.
   *
   * @param weight (H,r,D)
   * @param bias (H,r,1)
   * @param curvature (1,D) float32
   */
  record Map(Tensor weight, Tensor bias, Tensor curvature) {
    private Map as(torch.ScalarType type) {
      return new Map(CudaKernels.packed(weight.to(type)), CudaKernels.packed(bias.to(type)), CudaKernels.packed(curvature));
    }
  }

  private static final KernelCache<Shape, CudaProjection> KERNELS = new KernelCache<>("Features of all factors at once",
      CudaProjection::new);
  private static final int WARP = 32;
  private static final int WARPS = 4;
  private static final int THREADS = WARPS * WARP;
  /** Of a block at a time. */
  private static final int TOKENS = THREADS;
  /** Elements that one access moves. */
  private static final int VECTOR = 8;
  private static final int TILE = 16;
  private static final int MOST_RANK = 64;
  private static final int MOST_MAPS = 3;
  /** Features of a token that backward has registers for. */
  private static final int MOST_FEATURES = 64;

  private final Shape shape;
  private final CudaModule.Kernel project;
  private CudaModule.@Nullable Kernel pull;

  private CudaProjection(Shape shape) {
    this.shape = shape;
    project = kernel("project", "project");
  }

  private CudaModule.Kernel kernel(String text, String name) {
    var module = CudaKernels.compile(text, "KEYS=" + (shape.keys ? 1 : 0), "MAPS=" + shape.maps, "RANK=" + shape.rank,
        "WIDTH=" + shape.width, "WARPS=" + WARPS, "BLOCKS=" + shape.blocksPulling());
    return module.kernel(name, module.constant(name + "Bytes"));
  }

  /**
   * Features (B,H,r,N) in bf16 of each map; null where there is no kernel for them.
   *
   * @param x (B,H,N,D)
   * @param keys whether these are of keys; else of queries
   */
  static @Nullable List<Tensor> of(List<Map> maps, Tensor x, boolean keys) {
    if (!x.is_cuda() || Dtype.of(x) != Dtype.BF16 || x.numel() == 0) return null;
    long rank = maps.getFirst().weight.size(1);
    if (!maps.stream().allMatch(map -> map.weight.size(1) == rank)) return null;
    var shape = new Shape(keys, maps.size(), (int) rank, (int) x.size(3));
    if (!covers(shape, x.size(2), isWanted(maps, x))) return null;
    var kernels = KERNELS.of(shape);
    if (kernels == null) return null;
    return kernels.apply(CudaKernels.fetchable(x), maps.stream().map(map -> map.as(x.scalar_type())).toList());
  }

  private static boolean isWanted(List<Map> maps, Tensor x) {
    return CustomGradient.isWanted(x) || maps.stream().anyMatch(map -> CustomGradient.isWanted(map.weight, map.bias));
  }

  private static boolean covers(Shape of, long tokens, boolean backward) {
    boolean fillsTiles = of.rank % TILE == 0 || of.rank % (TILE / 2) == 0 && of.maps == 2;
    boolean forward = fillsTiles && of.maps <= MOST_MAPS && of.rank <= MOST_RANK && of.width % TILE == 0;
    return forward && (!backward || of.features() <= MOST_FEATURES && of.width % (TILE * WARPS) == 0 && tokens % VECTOR == 0);
  }

  private List<Tensor> apply(Tensor x, List<Map> maps) {
    var out = new ArrayList<Tensor>();
    try (var scope = Scope.withoutGradients()) {
      for (int i = 0; i < shape.maps; i++) out.add(scope.escape(torch.empty(features(x), x.options(), null)));
      long blocks = x.size(0) * x.size(1) * Math.ceilDiv(x.size(2), (long) TOKENS);
      var arguments = inputs(x, maps);
      addOfEachMap(arguments, out);
      arguments.add(x.size(2)).add(x.size(1));
      launch(project, blocks, arguments, x);
    }
    var inputs = new ArrayList<>(List.of(x));
    for (var map : maps) inputs.addAll(List.of(map.weight, map.bias));
    if (CustomGradient.isWanted(inputs.toArray(Tensor[]::new))) CustomGradient.attach(inputs, out, given -> backward(given, x, maps));
    return out;
  }

  private long[] features(Tensor x) {
    return new long[] {x.size(0), x.size(1), shape.rank, x.size(2)};
  }

  private LongStream.Builder inputs(Tensor x, List<Map> maps) {
    var arguments = LongStream.builder().add(CudaModule.argument(x));
    addOfEachMap(arguments, maps.stream().map(Map::weight).toList());
    addOfEachMap(arguments, maps.stream().map(Map::bias).toList());
    addOfEachMap(arguments, maps.stream().map(Map::curvature).toList());
    return arguments;
  }

  private static void addOfEachMap(LongStream.Builder arguments, List<Tensor> of) {
    for (int i = 0; i < MOST_MAPS; i++) arguments.add(CudaModule.argument(i < of.size() ? of.get(i) : null));
  }

  private static void launch(CudaModule.Kernel kernel, long blocks, LongStream.Builder arguments, Tensor x) {
    arguments.add(x.stride(0)).add(x.stride(1)).add(x.stride(2));
    kernel.launch(Math.toIntExact(blocks), THREADS, arguments.build().toArray());
  }

  private List<@Nullable Tensor> backward(List<@Nullable Tensor> given, Tensor x, List<Map> maps) {
    var ofFeatures = new ArrayList<Tensor>();
    for (var g : given) ofFeatures.add(g != null ? g.contiguous() : torch.zeros(features(x), x.options()));
    long heads = x.size(1);
    long slices = Math.max(1, shape.blocksPulling() * CudaModule.multiprocessors() / heads);
    long rows = shape.features();
    var dX = CudaKernels.headsInTokens(x);
    var parts = torch.empty(new long[] {heads, slices, rows * (shape.width + 1)}, Device.CUDA.options(Dtype.F32), null);
    var arguments = inputs(x, maps);
    addOfEachMap(arguments, ofFeatures);
    arguments.add(CudaModule.argument(dX)).add(CudaModule.argument(parts)).add(x.size(2)).add(x.size(0)).add(heads).add(slices);
    launch(pull(), heads * slices, arguments, x);
    var sums = parts.sum(1).to(x.scalar_type());
    var gradients = new ArrayList<@Nullable Tensor>(List.of(dX));
    for (long first = 0; first < rows; first += shape.rank) {
      gradients.add(sums.narrow(1, first * shape.width, (long) shape.rank * shape.width).view(heads, shape.rank, shape.width));
      gradients.add(sums.narrow(1, rows * shape.width + first, shape.rank).view(heads, shape.rank, 1));
    }
    return gradients;
  }

  private synchronized CudaModule.Kernel pull() {
    if (pull == null) pull = kernel("pull_projection", "pullProjection");
    return pull;
  }
}
