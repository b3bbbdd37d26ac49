package dev.walsh.kernels.hla;

import dev.walsh.kernels.nn.KernelCache;
import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * {@code project.cu} and {@code pull_projection.cu}: the softplus features of all factors from the tokens themselves, on the GPU in bf16, and
 * their gradient, each in one pass over the tokens. Nothing is kept for backward but what went in.
 */
final class CudaProjection {
  /** What the kernels are compiled for. */
  private record Shape(boolean keys, int maps, int rank, int width) {}

  /**
   * One map: softplus of a projection.
   *
   * @param weight (H,r,D)
   * @param bias (H,r,1)
   * @param curvature (1,D) float32
   */
  record Map(Tensor weight, Tensor bias, Tensor curvature) {}

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
  private static final int BLOCKS_A_MULTIPROCESSOR = 2;

  private final Shape shape;
  private final CudaModule.Kernel project;
  private CudaModule.@Nullable Kernel pull;

  private CudaProjection(Shape shape) {
    this.shape = shape;
    project = kernel("project", "project");
  }

  private CudaModule.Kernel kernel(String text, String name) {
    var module = CudaKernels.compile(text, "KEYS=" + (shape.keys ? 1 : 0), "MAPS=" + shape.maps, "RANK=" + shape.rank,
        "WIDTH=" + shape.width, "WARPS=" + WARPS);
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
    var weight = stacked(maps.stream().map(map -> map.weight.to(x.scalar_type())).toList(), 1);
    var bias = stacked(maps.stream().map(map -> map.bias.to(x.scalar_type())).toList(), 1);
    var curvature = stacked(maps.stream().map(Map::curvature).toList(), 0);
    return kernels.apply(isAligned(x) ? x : x.contiguous(), weight, bias, curvature);
  }

  private static boolean isWanted(List<Map> maps, Tensor x) {
    return CustomGradient.isWanted(x) || maps.stream().anyMatch(map -> CustomGradient.isWanted(map.weight, map.bias));
  }

  private static Tensor stacked(List<Tensor> parts, long dimension) {
    return torch.cat(new TensorVector(parts.toArray(Tensor[]::new)), dimension);
  }

  private static boolean covers(Shape of, long tokens, boolean backward) {
    boolean fillsTiles = of.rank % TILE == 0 || of.rank % (TILE / 2) == 0 && of.maps == 2;
    boolean forward = fillsTiles && of.maps <= MOST_MAPS && of.rank <= MOST_RANK && of.width % TILE == 0;
    return forward && (!backward || of.maps * of.rank <= MOST_FEATURES && of.width % (TILE * WARPS) == 0 && tokens % VECTOR == 0);
  }

  private static boolean isAligned(Tensor x) {
    return x.stride(3) == 1 && x.stride(0) % VECTOR == 0 && x.stride(1) % VECTOR == 0 && x.stride(2) % VECTOR == 0
        && x.storage_offset() % VECTOR == 0;
  }

  /** weight: (H,all features,D), bias: (H,all features,1), curvature: (maps,D). */
  private List<Tensor> apply(Tensor x, Tensor weight, Tensor bias, Tensor curvature) {
    var out = new ArrayList<Tensor>();
    try (var scope = Scope.withoutGradients()) {
      for (int i = 0; i < shape.maps; i++) {
        out.add(scope.escape(torch.empty(new long[] {x.size(0), x.size(1), shape.rank, x.size(2)}, x.options(), null)));
      }
      long blocks = x.size(0) * x.size(1) * Math.ceilDiv(x.size(2), (long) TOKENS);
      project.launch(Math.toIntExact(blocks), THREADS, CudaModule.argument(x), CudaModule.argument(weight), CudaModule.argument(bias),
          CudaModule.argument(curvature), argument(out, 0), argument(out, 1), argument(out, 2), x.size(2), x.size(1), x.stride(0),
          x.stride(1), x.stride(2));
    }
    if (CustomGradient.isWanted(x, weight, bias)) {
      CustomGradient.attach(List.of(x, weight, bias), out, given -> backward(given, x, weight, bias, curvature));
    }
    return out;
  }

  private static long argument(List<@Nullable Tensor> of, int i) {
    return CudaModule.argument(i < of.size() ? of.get(i) : null);
  }

  private List<@Nullable Tensor> backward(List<@Nullable Tensor> given, Tensor x, Tensor weight, Tensor bias, Tensor curvature) {
    var gradients = new ArrayList<@Nullable Tensor>();
    for (var g : given) {
      gradients.add(g != null ? g.contiguous() : torch.zeros(new long[] {x.size(0), x.size(1), shape.rank, x.size(2)}, x.options()));
    }
    long heads = x.size(1);
    long slices = Math.max(1, BLOCKS_A_MULTIPROCESSOR * CudaModule.attribute(cudart.cudaDevAttrMultiProcessorCount) / heads);
    var floats = Device.CUDA.options(Dtype.F32);
    var dX = torch.empty(x.shape(), x.options(), null);
    var dWeight = torch.empty(new long[] {heads, slices, weight.size(1), weight.size(2)}, floats, null);
    var dBias = torch.empty(new long[] {heads, slices, weight.size(1), 1}, floats, null);
    pull().launch(Math.toIntExact(heads * slices), THREADS, CudaModule.argument(x), CudaModule.argument(weight), CudaModule.argument(bias),
        CudaModule.argument(curvature), argument(gradients, 0), argument(gradients, 1), argument(gradients, 2), CudaModule.argument(dX),
        CudaModule.argument(dWeight), CudaModule.argument(dBias), x.size(2), x.size(0), heads, slices, x.stride(0), x.stride(1),
        x.stride(2));
    return Arrays.asList(dX, dWeight.sum(1).to(weight.scalar_type()), dBias.sum(1).to(bias.scalar_type()));
  }

  private synchronized CudaModule.Kernel pull() {
    if (pull == null) pull = kernel("pull_projection", "pullProjection");
    return pull;
  }
}
