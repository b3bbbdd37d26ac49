package dev.walsh.tensor;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.cuda.CUDAEvent;
import org.bytedeco.pytorch.global.torch;

/**
 * A few numbers at a time on their way from Java into tensors of a device, in the order of the device's other work and without waiting for
 * it: they are written into one of several page-locked buffers, which is written again only when its copies are done.
 */
public final class Upload implements AutoCloseable {
  private static final int BUFFERS = 8;

  private final List<Tensor> buffers = new ArrayList<>();
  private final List<CUDAEvent> copied = new ArrayList<>();
  private int next;

  /** Of so many numbers, int64. */
  public Upload(Device device, long numbers) {
    try (var scope = Scope.withoutGradients()) {
      var options = Device.CPU.options(Dtype.I64);
      if (device != Device.CUDA) {
        buffers.add(scope.keep(torch.empty(new long[] {numbers}, options, null)));
        return;
      }
      for (int i = 0; i < BUFFERS; i++) {
        buffers.add(scope.keep(torch.empty(new long[] {numbers}, options.pinned_memory(new BoolOptional(true)), null)));
        copied.add(scope.keep(new CUDAEvent(0)));
      }
    }
  }

  /** Where to write the numbers, before {@link #copy}. */
  public MemorySegment memory() {
    if (!copied.isEmpty()) copied.get(next).synchronize();
    return Memory.of(buffers.get(next));
  }

  /** Copies the numbers from {@code from} on into all elements of a tensor, on the current stream. */
  public void copy(long from, Tensor target) {
    try (var scope = Scope.withoutGradients()) {
      target.copy_(buffers.get(next).narrow(0, from, target.numel()).view(target.shape()), true);
    }
  }

  /** Ends what was written and copied since {@link #memory}. */
  public void send() {
    if (copied.isEmpty()) return;
    copied.get(next).record();
    next = (next + 1) % BUFFERS;
  }

  @Override
  public void close() {
    buffers.forEach(Tensor::close);
    copied.forEach(CUDAEvent::close);
  }
}
