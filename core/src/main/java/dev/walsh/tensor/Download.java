package dev.walsh.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.cuda.CUDAEvent;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Numbers that kernels leave in the host's memory for Java, place by place and turn by turn: no copy stands between one kernel and the next, and
 * nobody waits for the numbers until they are read.
 */
public final class Download implements AutoCloseable {
  /** How many numbers of a place are kept, one after another. */
  public static final int TURNS = 4;

  private final Device device;
  private final int places;
  private final Tensor memory;
  private final MemorySegment numbers;
  private final ArrayDeque<CUDAEvent> events = new ArrayDeque<>();
  private int unread;

  public Download(Device device, int places) {
    this.device = device;
    this.places = places;
    try (var scope = Scope.withoutGradients()) {
      var options = Device.CPU.options(Dtype.I64);
      memory = scope
          .keep(torch.zeros(new long[] {TURNS, places}, device == Device.CUDA ? options.pinned_memory(new BoolOptional(true)) : options));
    }
    numbers = Memory.of(memory);
  }

  /** (TURNS,places) int64, which kernels of the device write as well as Java: the number of a turn stands in the row that it is modulo TURNS. */
  public Tensor memory() {
    return memory;
  }

  /**
   * The numbers of the places from {@code first} on, as the work of the current stream up to here leaves them.
   *
   * @param turns of each of them: how many numbers the place had been given before
   * @throws IllegalStateException where the numbers may be those of so many turns later, since none was read meanwhile
   */
  public Pending begin(int first, int... turns) {
    if (unread == TURNS) throw new IllegalStateException(TURNS + " times numbers have come that nobody has read");
    unread++;
    return new Pending(first, turns, device == Device.CUDA ? recorded() : null);
  }

  private CUDAEvent recorded() {
    var known = events.poll();
    var event = known == null ? make() : known;
    event.record();
    return event;
  }

  private static CUDAEvent make() {
    try (var scope = Scope.withoutGradients()) {
      return scope.keep(new CUDAEvent(0));
    }
  }

  /** Numbers that are under way. */
  public final class Pending {
    private final int first;
    private final int[] turns;
    private final @Nullable CUDAEvent made;

    private Pending(int first, int[] turns, @Nullable CUDAEvent made) {
      this.first = first;
      this.turns = turns;
      this.made = made;
    }

    /** Waits for the numbers; to be called once. */
    public long[] await() {
      if (made != null) {
        made.synchronize();
        events.push(made);
      }
      var values = new long[turns.length];
      for (int i = 0; i < values.length; i++) {
        values[i] = numbers.getAtIndex(ValueLayout.JAVA_LONG, (long) turns[i] % TURNS * places + first + i);
      }
      unread--;
      return values;
    }
  }

  @Override
  public void close() {
    events.forEach(CUDAEvent::close);
    memory.close();
  }
}
