package dev.walsh.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.cuda.CUDAEvent;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/** Numbers on their way from tensors of a device to Java, in the order of the device's other work; nobody waits for them until they are read. */
public final class Download implements AutoCloseable {
  private final Device device;
  private final long numbers;
  private final ArrayDeque<Buffer> free = new ArrayDeque<>();

  private record Buffer(Tensor host, @Nullable CUDAEvent copied) {}

  /** Of at most so many numbers at a time, int64. */
  public Download(Device device, long numbers) {
    this.device = device;
    this.numbers = numbers;
  }

  /** Begins to copy what a tensor, (n) int64, holds at this point of the current stream. */
  public Pending begin(Tensor from) {
    var known = free.poll();
    var buffer = known == null ? make() : known;
    int n = (int) from.numel();
    try (var scope = Scope.withoutGradients()) {
      buffer.host.narrow(0, 0, n).copy_(from, true);
    }
    if (buffer.copied != null) buffer.copied.record();
    return new Pending(buffer, n);
  }

  private Buffer make() {
    try (var scope = Scope.withoutGradients()) {
      boolean cuda = device == Device.CUDA;
      var options = Device.CPU.options(Dtype.I64);
      var host = torch.empty(new long[] {numbers}, cuda ? options.pinned_memory(new BoolOptional(true)) : options, null);
      return new Buffer(scope.keep(host), cuda ? scope.keep(new CUDAEvent(0)) : null);
    }
  }

  /** Numbers that are under way. */
  public final class Pending {
    private final Buffer buffer;
    private final int n;

    private Pending(Buffer buffer, int n) {
      this.buffer = buffer;
      this.n = n;
    }

    /** Waits for the numbers; to be called once. */
    public long[] await() {
      if (buffer.copied != null) buffer.copied.synchronize();
      var values = new long[n];
      MemorySegment.copy(Memory.of(buffer.host), ValueLayout.JAVA_LONG, 0, values, 0, n);
      free.push(buffer);
      return values;
    }
  }

  @Override
  public void close() {
    for (var buffer : free) {
      buffer.host.close();
      if (buffer.copied != null) buffer.copied.close();
    }
  }
}
