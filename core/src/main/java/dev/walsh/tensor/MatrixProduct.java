package dev.walsh.tensor;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cublas.cublasLtMatmulAlgo_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulDescOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulHeuristicResult_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulPreferenceOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatrixLayoutOpaque_t;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.cuda.CUDAEvent;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch_cuda;
import org.jspecify.annotations.Nullable;

/**
 * Products of bf16 matrices on the GPU by cuBLASLt, each shape by the algorithm that proved fastest when it was first asked for. libtorch
 * takes the first that the library's heuristic names, which is up to a fifth slower, and cannot add a matrix that it does not overwrite.
 */
public final class MatrixProduct {
  /** What an algorithm is chosen for; matrices are row-major, and an operand that is transposed is stored so. */
  private record Shape(long rows, long columns, long inner, boolean leftTransposed, boolean rightTransposed, boolean added) {}

  private static final Map<Shape, MatrixProduct> PLANS = new ConcurrentHashMap<>();
  private static final int CANDIDATES = 16;
  private static final int ROUNDS = 4;
  private static final int CALLS_A_ROUND = 3;
  private static final long WORKSPACE_BYTES = 64L << 20;

  private final cublasLtMatmulDescOpaque_t operation;
  private final cublasLtMatrixLayoutOpaque_t left;
  private final cublasLtMatrixLayoutOpaque_t right;
  private final cublasLtMatrixLayoutOpaque_t result;
  private final cublasLtMatmulHeuristicResult_t candidates;
  private final FloatPointer one;
  private final FloatPointer addedScale;
  private final StreamSlot stream = new StreamSlot();
  private final cublasLtMatmulAlgo_t algorithm;

  private MatrixProduct(Shape shape, Tensor out, Tensor left, Tensor right, @Nullable Tensor added) {
    try (var scope = Scope.withoutGradients()) {
      operation = scope.keep(operation(shape));
      // To a library that thinks in columns, a row-major matrix is its transpose: it computes outᵀ = op(right)ᵀ op(left)ᵀ.
      this.left = scope.keep(layout(shape.leftTransposed ? shape.rows : shape.inner, shape.leftTransposed ? shape.inner : shape.rows));
      this.right = scope.keep(
          layout(shape.rightTransposed ? shape.inner : shape.columns, shape.rightTransposed ? shape.columns : shape.inner));
      result = scope.keep(layout(shape.columns, shape.rows));
      one = scope.keep(new FloatPointer(1f));
      addedScale = scope.keep(new FloatPointer(shape.added ? 1f : 0f));
      candidates = scope.keep(new cublasLtMatmulHeuristicResult_t(CANDIDATES));
      int found = findCandidates();
      // Nothing can be timed inside a capture; the heuristic's first choice is then taken, and kept.
      int best = isCapturing() ? 0 : fastest(found, out, left, right, added);
      algorithm = scope.keep(candidate(best));
    }
  }

  /**
   * out = op(left) op(right) + added. All are contiguous; what is not bf16 on the GPU is libtorch's work. Sums are float32; some algorithms round the
   * product before they add.
   *
   * @param out (M,N), written; it may be what is added
   * @param left (M,K), or (K,M) if transposed
   * @param right (K,N), or (N,K) if transposed
   * @param added (M,N), or null for none
   */
  public static void into(Tensor out, Tensor left, boolean leftTransposed, Tensor right, boolean rightTransposed, @Nullable Tensor added) {
    if (!out.is_cuda() || Dtype.of(out) != Dtype.BF16) {
      byLibtorch(out, leftTransposed ? left.t() : left, rightTransposed ? right.t() : right, added);
      return;
    }
    var shape = new Shape(out.size(0), out.size(1), left.size(leftTransposed ? 0 : 1), leftTransposed, rightTransposed, added != null);
    PLANS.computeIfAbsent(shape, s -> new MatrixProduct(s, out, left, right, added)).run(out, left, right, added);
  }

  private static void byLibtorch(Tensor out, Tensor left, Tensor right, @Nullable Tensor added) {
    if (added == null) {
      torch.mm_out(out, left, right);
    } else {
      torch.addmm_out(out, added, left, right);
    }
  }

  private synchronized void run(Tensor out, Tensor left, Tensor right, @Nullable Tensor added) {
    check(multiply(algorithm, out, left, right, added));
  }

  private int multiply(cublasLtMatmulAlgo_t by, Tensor out, Tensor left, Tensor right, @Nullable Tensor added) {
    try (var scope = Scope.open()) {
      return cublas.cublasLtMatmul(Library.HANDLE, operation, one, right.data_ptr(), this.right, left.data_ptr(), this.left, addedScale,
          (added == null ? out : added).data_ptr(), result, out.data_ptr(), result, by, Library.WORKSPACE.data_ptr(), WORKSPACE_BYTES,
          stream.current());
    }
  }

  private static cublasLtMatmulDescOpaque_t operation(Shape shape) {
    var made = new PointerPointer<Pointer>(1);
    check(cublas.cublasLtMatmulDescCreate(made, cublas.CUBLAS_COMPUTE_32F, cudart.CUDA_R_32F));
    var operation = new cublasLtMatmulDescOpaque_t(made.get());
    transpose(operation, cublas.CUBLASLT_MATMUL_DESC_TRANSA, shape.rightTransposed);
    transpose(operation, cublas.CUBLASLT_MATMUL_DESC_TRANSB, shape.leftTransposed);
    return operation;
  }

  private static void transpose(cublasLtMatmulDescOpaque_t operation, int which, boolean transposed) {
    var value = new IntPointer(1).put(transposed ? cublas.CUBLAS_OP_T : cublas.CUBLAS_OP_N);
    check(cublas.cublasLtMatmulDescSetAttribute(operation, which, value, Integer.BYTES));
  }

  /** A dense matrix in columns. */
  private static cublasLtMatrixLayoutOpaque_t layout(long rows, long columns) {
    var made = new PointerPointer<Pointer>(1);
    check(cublas.cublasLtMatrixLayoutCreate(made, cudart.CUDA_R_16BF, rows, columns, rows));
    return new cublasLtMatrixLayoutOpaque_t(made.get());
  }

  private int findCandidates() {
    var made = new PointerPointer<Pointer>(1);
    check(cublas.cublasLtMatmulPreferenceCreate(made));
    var preference = new cublasLtMatmulPreferenceOpaque_t(made.get());
    check(cublas.cublasLtMatmulPreferenceSetAttribute(preference, cublas.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
        new LongPointer(1).put(WORKSPACE_BYTES), Long.BYTES));
    var found = new int[1];
    check(cublas.cublasLtMatmulAlgoGetHeuristic(Library.HANDLE, operation, right, left, result, result, preference, CANDIDATES, candidates,
        found));
    check(cublas.cublasLtMatmulPreferenceDestroy(preference));
    if (found[0] == 0) throw new IllegalStateException("cuBLASLt knows no algorithm for a product of bf16 matrices");
    return found[0];
  }

  private cublasLtMatmulAlgo_t candidate(int index) {
    return candidates.getPointer(index).algo();
  }

  /** The candidate with the least time for a few calls, in turns, so that all see the same clocks. */
  private int fastest(int found, Tensor out, Tensor left, Tensor right, @Nullable Tensor added) {
    var least = new double[found];
    var scratch = torch.empty_like(out);
    for (int round = 0; round <= ROUNDS; round++) {
      for (int i = 0; i < found; i++) {
        double time = milliseconds(candidate(i), scratch, left, right, added);
        // The first round loads the kernels.
        least[i] = round <= 1 ? time : Math.min(least[i], time);
      }
    }
    int best = 0;
    for (int i = 1; i < found; i++) {
      if (least[i] < least[best]) best = i;
    }
    return best;
  }

  private double milliseconds(cublasLtMatmulAlgo_t by, Tensor out, Tensor left, Tensor right, @Nullable Tensor added) {
    try (var start = new CUDAEvent(0); var end = new CUDAEvent(0)) {
      start.record();
      for (int i = 0; i < CALLS_A_ROUND; i++) {
        if (multiply(by, out, left, right, added) != 0) return Double.POSITIVE_INFINITY;
      }
      end.record();
      end.synchronize();
      return start.elapsed_time(end);
    }
  }

  private static boolean isCapturing() {
    return torch_cuda.currentStreamCaptureStatusMayInitCtx() != 0;
  }

  private static void check(int status) {
    if (status != 0)
      throw new IllegalStateException("cuBLASLt error " + status + ": " + cublas.cublasLtGetStatusString(status).getString());
  }

  /** The library's handle, and memory for its algorithms, which run one after another. */
  private static final class Library {
    static final cublasLtContext HANDLE = handle();
    static final Tensor WORKSPACE = workspace();

    private static cublasLtContext handle() {
      var handle = new cublasLtContext().<cublasLtContext>retainReference();
      check(cublas.cublasLtCreate(handle));
      return handle;
    }

    private static Tensor workspace() {
      try (var scope = Scope.withoutGradients()) {
        return scope.keep(torch.empty(new long[] {WORKSPACE_BYTES / Dtype.F32.bytes()}, Device.CUDA.options(Dtype.F32), null));
      }
    }
  }
}
