package dev.walsh.tensor;

import java.lang.ref.Reference;
import java.util.function.Consumer;
import org.bytedeco.cuda.cudart.CUgraphExec_st;
import org.bytedeco.cuda.cudart.CUgraph_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.cuda.CUDAStream;
import org.bytedeco.pytorch.cuda.DeviceAssertionsDataVectorCUDAKernelLaunchInfoVectorPair;
import org.bytedeco.pytorch.cuda.MemPool;
import org.bytedeco.pytorch.cuda.StreamFilter;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch_cuda;
import org.jspecify.annotations.Nullable;

/**
 * Work of the GPU, a backward pass included, recorded once and launched again as one: Java and libtorch take no part in a replay.
 *
 * <p>A replay runs the recorded kernels on the recorded addresses. So inputs are tensors that stay where they are and are written into
 * before a replay, and outputs are tensors that the work let escape and that hold the values of the latest replay. All memory that the work
 * takes from libtorch comes from a pool of the graph's own, which goes back with {@link #close}; outputs must be closed too.
 *
 * <p>Work that is captured must not wait for the GPU, read a value back, copy from Java's memory, or draw from libtorch's random generators,
 * which would repeat themselves. What libraries prepare at their first use must have been prepared: run the same work in {@link #warmUp}
 * first. Gradients accumulate into those that a leaf has, so what they are when captured, absent or present, is what a replay assumes.
 */
public final class CudaGraph implements AutoCloseable {
  private static final byte DEVICE = 0;

  private static volatile @Nullable Thread preparing;

  private final Pool pool;
  private final CUgraphExec_st executable;
  private final StreamSlot stream = new StreamSlot();
  private boolean closed;

  private CudaGraph(Pool pool, CUgraphExec_st executable) {
    this.pool = pool;
    this.executable = executable;
  }

  /** Runs work for real, once, on the stream on which captures record, and waits for it. */
  public static void warmUp(Runnable work) {
    onCaptureStream(_ -> work.run());
    torch.cuda_synchronize();
  }

  /**
   * Records work without running it.
   *
   * @throws RuntimeException what the work threw; nothing of the capture is left then
   */
  public static CudaGraph capture(Runnable work) {
    // What earlier work left in libtorch's cache the graph's pool cannot use.
    torch.emptyCache();
    var pool = new Pool();
    try {
      var executable = new CUgraphExec_st();
      onCaptureStream(stream -> record(pool, stream, work, executable));
      return new CudaGraph(pool, executable);
    } catch (RuntimeException | Error e) {
      // A later launch would take the error for its own.
      cudart.cudaGetLastError();
      pool.close();
      throw e;
    }
  }

  private static void record(Pool pool, CUstream_st stream, Runnable work, CUgraphExec_st executable) {
    var graph = new CUgraph_st();
    try {
      pool.open(stream);
      try {
        CudaError.check(cudart.cudaStreamBeginCapture(stream, cudart.cudaStreamCaptureModeRelaxed));
        int ended;
        try {
          work.run();
        } finally {
          ended = cudart.cudaStreamEndCapture(stream, graph);
        }
        CudaError.check(ended);
      } finally {
        pool.seal();
      }
      CudaError.check(cudart.cudaGraphInstantiate(executable, graph));
    } finally {
      if (!graph.isNull()) cudart.cudaGraphDestroy(graph);
    }
  }

  /** One stream for all, and so for one thread at a time: workspaces that libraries keep for a stream are taken once. */
  private static synchronized void onCaptureStream(Consumer<CUstream_st> work) {
    torch.cuda_synchronize();
    var outer = preparing;
    try (var before = torch_cuda.getCurrentCUDAStream()) {
      torch_cuda.setCurrentCUDAStream(Holder.STREAM);
      preparing = Thread.currentThread();
      try {
        work.accept(Holder.HANDLE);
      } finally {
        preparing = outer;
        torch_cuda.setCurrentCUDAStream(before);
      }
    }
  }

  /**
   * Whether the calling thread is at work that is captured, or warmed up to be: what it does will be done again and again, and is worth measuring
   * the ways of. Measure in the warm-up; a capture cannot wait.
   */
  public static boolean isPreparing() {
    return preparing == Thread.currentThread();
  }

  /** Launches the work on the calling thread's current stream. */
  public synchronized void replay() {
    if (closed) throw new IllegalStateException("the graph is closed");
    CudaError.check(cudart.cudaGraphLaunch(executable, stream.current()));
  }

  /** Waits for the GPU and gives the graph's memory back. */
  @Override
  public synchronized void close() {
    if (closed) return;
    closed = true;
    torch.cuda_synchronize();
    CudaError.check(cudart.cudaGraphExecDestroy(executable));
    pool.close();
  }

  /** The stream, made when the first capture asks for it. */
  private static final class Holder {
    static final CUDAStream STREAM = make();
    static final CUstream_st HANDLE = STREAM.stream();

    private static CUDAStream make() {
      Loader.load(torch_cuda.class);
      return torch_cuda.getStreamFromPool().retainReference();
    }
  }

  /** The memory that a capture takes from libtorch. */
  private static final class Pool implements AutoCloseable {
    private final MemPool memory = new MemPool().retainReference();
    private final DeviceAssertionsDataVectorCUDAKernelLaunchInfoVectorPair id = memory.id().retainReference();
    private @Nullable Filter filter;

    Pool() {
      // The bindings take the pair of numbers for one of vectors: neither a scope nor the collector may free it as such.
      id.deallocate(false);
    }

    /** From here on, what is allocated on the stream comes from here; a copy that another stream makes meanwhile does not. */
    void open(CUstream_st stream) {
      filter = new Filter(stream.address());
      torch_cuda.beginAllocateToPool(DEVICE, id, filter);
    }

    void seal() {
      torch_cuda.endAllocateToPool(DEVICE, id);
      torch_cuda.getAllocator().releasePool(DEVICE, id);
      Reference.reachabilityFence(filter);
    }

    /** At once, whatever scopes are open. */
    @Override
    public void close() {
      memory.deallocate();
    }
  }

  /** Whether an allocation belongs to the capture. */
  private static final class Filter extends StreamFilter {
    private final long stream;

    Filter(long stream) {
      this.stream = stream;
    }

    @Override
    public boolean call(Pointer asking) {
      return asking != null && asking.address() == stream;
    }
  }
}
