package dev.walsh.tensor;

import java.lang.foreign.MemorySegment;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.cuda.CUDAStream;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch_cuda;
import org.jspecify.annotations.Nullable;

/**
 * Numbers on their way from Java to a device: written to page-locked memory and copied on a stream of their own, while the device goes on
 * with its work. On the CPU both ends are the same memory.
 */
public final class Staging implements AutoCloseable {
  private final Tensor host;
  private final Tensor there;
  private final @Nullable CUDAStream stream;

  /** A tensor of int64. */
  public Staging(Device device, long... shape) {
    try (var scope = Scope.withoutGradients()) {
      boolean cuda = device == Device.CUDA;
      host = scope.keep(torch.empty(shape, pinned(Device.CPU.options(Dtype.I64), cuda), null));
      there = cuda ? scope.keep(torch.empty(shape, device.options(Dtype.I64), null)) : host;
      stream = cuda ? scope.keep(torch_cuda.getStreamFromPool()) : null;
    }
  }

  private static TensorOptions pinned(TensorOptions options, boolean pin) {
    return pin ? options.pinned_memory(new BoolOptional(true)) : options;
  }

  /** Where to write; not between {@link #send} and {@link #receive}. */
  public MemorySegment memory() {
    return Memory.of(host);
  }

  /** Begins the copy. */
  public void send() {
    if (stream == null) return;
    try (var scope = Scope.withoutGradients()) {
      var before = torch_cuda.getCurrentCUDAStream();
      torch_cuda.setCurrentCUDAStream(stream);
      try {
        there.copy_(host, true);
      } finally {
        torch_cuda.setCurrentCUDAStream(before);
      }
    }
  }

  /** Waits for the copy, and copies on into a tensor on the device, on the current stream. */
  public void receive(Tensor target) {
    if (stream != null) stream.synchronize();
    try (var scope = Scope.withoutGradients()) {
      target.copy_(there);
    }
  }

  @Override
  public void close() {
    host.close();
    if (there != host) there.close();
    if (stream != null) stream.close();
  }
}
