package dev.walsh.kernels.hla;

import dev.walsh.kernels.nn.KernelCache;
import dev.walsh.tensor.CudaModule;
import dev.walsh.tensor.CustomGradient;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * {@code features.cu}: softplus and ReLU features of bf16 projections on the GPU, bent and scaled in one pass over them, and those of exp of
 * queries; forward and backward. The scales of exp's keys depend on the keys before, so that these are left to libtorch's operators.
 */
final class CudaFeatures {
  /**
   * A function of features.
   *
   * @param number as the kernels know it
   * @param bound what ReLU adds, or the least exponent of exp
   */
  private record Curve(int number, float bound) {
    static Curve of(FeatureMap map, double least) {
      return switch (map) {
        case FeatureMap.Softplus _,FeatureMap.Perceptron _ -> new Curve(0, 0);
        case FeatureMap.Relu(int _, double floor) -> new Curve(1, (float) floor);
        case FeatureMap.Exp _ -> new Curve(2, (float) least);
        default -> throw new IllegalArgumentException(map + " has no kernel");
      };
    }
  }

  /** What the kernels are compiled for: of keys, which may be bent by their length, or of queries, which are scaled each by itself. */
  private record Shape(Curve curve, int rank, int width, int vector, boolean keys, boolean bent) {}

  private static final KernelCache<Shape, CudaFeatures> KERNELS = new KernelCache<>("Features of linear attention", CudaFeatures::new);
  private static final int THREADS = 128;
  private static final int CHANNELS = 4;

  private final Shape shape;
  private final CudaModule.Kernel features;
  private final CudaModule.Kernel pull;
  private final CudaModule.Kernel bend;

  private CudaFeatures(Shape shape) {
    this.shape = shape;
    var module = CudaKernels.compile("features", "MAP=" + shape.curve.number, "BOUND=" + shape.curve.bound + "f",
        "KEYS=" + (shape.keys ? 1 : 0), "BENT=" + (shape.bent ? 1 : 0), "RANK=" + shape.rank, "WIDTH=" + shape.width,
        "VECTOR=" + shape.vector, "THREADS=" + THREADS);
    features = module.kernel("features", 0);
    pull = module.kernel("pullFeatures", 0);
    bend = module.kernel("bend", 0);
  }

  /** Whether there are kernels for features of x, (B,H,N,D), to be asked before these are projected. */
  static boolean covers(Tensor x) {
    return x.is_cuda() && Dtype.of(x) == Dtype.BF16 && x.size(3) % CHANNELS == 0 && x.numel() > 0;
  }

  /**
   * Features, (B,H,r,N) in bf16; null where the kernels cannot be had.
   *
   * @param map a pointwise one; exp only of queries
   * @param least exponent of exp
   * @param z projections, (B,H,r,N)
   * @param bias (H,r,1)
   * @param x what was projected, (B,H,N,D), which is {@linkplain #covers covered}
   * @param curvature (1,D) float32: half of the square of a key's length, so weighed, bends its features; null where nothing does
   * @param keys whether these are of keys; else of queries
   */
  static @Nullable Tensor of(FeatureMap map, double least, Tensor z, Tensor bias, Tensor x, @Nullable Tensor curvature, boolean keys) {
    int vector = (int) Math.min(CHANNELS, Long.lowestOneBit(z.size(3)));
    var kernels = KERNELS.of(new Shape(Curve.of(map, least), (int) z.size(2), (int) x.size(3), vector, keys,
        keys && curvature != null));
    if (kernels == null) return null;
    boolean isAligned = x.stride(3) == 1 && x.stride(0) % CHANNELS == 0 && x.stride(1) % CHANNELS == 0 && x.stride(2) % CHANNELS == 0
        && x.storage_offset() % CHANNELS == 0;
    return kernels.apply(z.contiguous(), bias.to(x.scalar_type()), isAligned ? x : x.contiguous(), curvature);
  }

  private Tensor apply(Tensor z, Tensor bias, Tensor x, @Nullable Tensor curvature) {
    Tensor out;
    Tensor scales;
    try (var scope = Scope.withoutGradients()) {
      out = scope.escape(torch.empty_like(z));
      scales = scope.escape(floats(z));
      features.launch(blocks(z), THREADS, CudaModule.argument(z), CudaModule.argument(bias), CudaModule.argument(x),
          CudaModule.argument(curvature), CudaModule.argument(out), CudaModule.argument(scales), z.size(3), z.size(1), x.stride(0),
          x.stride(1), x.stride(2));
    }
    var inputs = new ArrayList<>(List.of(z, bias));
    if (shape.bent) inputs.add(x);
    if (CustomGradient.isWanted(inputs.toArray(Tensor[]::new))) {
      CustomGradient.attach(inputs, List.of(out), given -> backward(given.getFirst(), z, bias, x, curvature, scales));
    }
    return out;
  }

  private List<@Nullable Tensor> backward(@Nullable Tensor given, Tensor z, Tensor bias, Tensor x, @Nullable Tensor curvature,
      Tensor scales) {
    if (given == null) return Arrays.asList(new Tensor[shape.bent ? 3 : 2]);
    var dZ = torch.empty_like(z);
    var dHalf = shape.bent ? torch.empty_like(scales) : null;
    pull.launch(blocks(z), THREADS, CudaModule.argument(z), CudaModule.argument(bias), CudaModule.argument(scales),
        CudaModule.argument(given.contiguous()), CudaModule.argument(dZ), CudaModule.argument(dHalf), z.size(3), z.size(1));
    var gradients = new ArrayList<@Nullable Tensor>(List.of(dZ, dZ.sum(0, 3).view(bias.shape())));
    if (dHalf != null && curvature != null) gradients.add(bent(x, curvature, dHalf));
    return gradients;
  }

  private Tensor bent(Tensor x, Tensor curvature, Tensor dHalf) {
    var dX = torch.empty(x.shape(), x.options(), null);
    long blocks = Math.ceilDiv(dX.numel() / CHANNELS, THREADS);
    bend.launch(Math.toIntExact(blocks), THREADS, CudaModule.argument(x), CudaModule.argument(curvature), CudaModule.argument(dHalf),
        CudaModule.argument(dX), x.size(2), x.size(1), dHalf.numel(), x.stride(0), x.stride(1), x.stride(2));
    return dX;
  }

  private int blocks(Tensor z) {
    return Math.toIntExact(z.size(0) * z.size(1) * Math.ceilDiv(z.size(3), (long) THREADS * shape.vector));
  }

  /** One a token, (B,H,N). */
  private static Tensor floats(Tensor z) {
    return torch.empty(new long[] {z.size(0), z.size(1), z.size(3)}, z.options().dtype(new ScalarTypeOptional(Dtype.F32.scalarType())),
        null);
  }
}
