package dev.walsh.kernels.hla;

import dev.walsh.kernels.nn.KernelCache;
import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Dtype;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * {@code project.cu}: the softplus features of all factors from the tokens themselves, on the GPU in bf16, where no gradient is wanted: a third
 * of the traffic of a product and a pass for each.
 */
final class CudaProjection {
  /** What the kernel is compiled for. */
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
  private static final int TOKENS = WARPS * WARP;
  /** Elements that one access moves. */
  private static final int VECTOR = 8;
  private static final int TILE = 16;
  private static final int MOST_RANK = 64;
  private static final int MOST_MAPS = 3;

  private final int maps;
  private final CudaModule.Kernel kernel;

  private CudaProjection(Shape shape) {
    maps = shape.maps;
    var module = CudaKernels.compile("project", "KEYS=" + (shape.keys ? 1 : 0), "MAPS=" + maps, "RANK=" + shape.rank,
        "WIDTH=" + shape.width, "WARPS=" + WARPS);
    kernel = module.kernel("project", module.constant("projectBytes"));
  }

  /**
   * Features (B,H,r,N) in bf16 of each map; null where there is no kernel for them.
   *
   * @param x (B,H,N,D)
   * @param keys whether these are of keys; else of queries
   */
  static @Nullable List<Tensor> of(List<Map> maps, Tensor x, boolean keys) {
    long rank = maps.getFirst().weight.size(1);
    long width = x.size(3);
    boolean fits = maps.size() <= MOST_MAPS && rank <= MOST_RANK && rank % TILE == 0 && width % TILE == 0 && x.size(2) % 2 == 0
        && maps.stream().allMatch(map -> map.weight.size(1) == rank);
    if (!x.is_cuda() || Dtype.of(x) != Dtype.BF16 || x.numel() == 0 || !fits || isWanted(maps, x)) return null;
    var kernels = KERNELS.of(new Shape(keys, maps.size(), (int) rank, (int) width));
    return kernels == null ? null : kernels.apply(maps, isAligned(x) ? x : x.contiguous(), rank);
  }

  private static boolean isWanted(List<Map> maps, Tensor x) {
    return CustomGradient.isWanted(Stream.concat(Stream.of(x), maps.stream().flatMap(map -> Stream.of(map.weight, map.bias)))
        .toArray(Tensor[]::new));
  }

  private static boolean isAligned(Tensor x) {
    return x.stride(3) == 1 && x.stride(0) % VECTOR == 0 && x.stride(1) % VECTOR == 0 && x.stride(2) % VECTOR == 0
        && x.storage_offset() % VECTOR == 0;
  }

  private List<Tensor> apply(List<Map> of, Tensor x, long rank) {
    var weights = new TensorVector();
    var biases = new TensorVector();
    var curvatures = new TensorVector();
    for (var map : of) {
      weights.push_back(map.weight.to(x.scalar_type()));
      biases.push_back(map.bias.to(x.scalar_type()));
      curvatures.push_back(map.curvature);
    }
    var out = new ArrayList<Tensor>();
    var pointers = new long[MOST_MAPS];
    for (int i = 0; i < maps; i++) {
      out.add(torch.empty(new long[] {x.size(0), x.size(1), rank, x.size(2)}, x.options(), null));
      pointers[i] = CudaModule.argument(out.get(i));
    }
    long blocks = x.size(0) * x.size(1) * Math.ceilDiv(x.size(2), (long) TOKENS);
    kernel.launch(Math.toIntExact(blocks), TOKENS, CudaModule.argument(x), CudaModule.argument(torch.cat(weights, 1)),
        CudaModule.argument(torch.cat(biases, 1)), CudaModule.argument(torch.cat(curvatures, 0)), pointers[0], pointers[1], pointers[2],
        x.size(2), x.size(1), x.stride(0), x.stride(1), x.stride(2));
    return out;
  }
}
