package dev.walsh.train;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.TrainConfig;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.OutOfMemory;
import java.util.ArrayList;
import java.util.Locale;
import java.util.function.Supplier;

/**
 * What one rank's training asks of the memory of its device, to say what would fit where that is too much.
 *
 * @param room bytes of the device that nobody had taken before
 * @param total bytes of the device
 */
record Demand(ModelConfig model, TrainConfig recipe, int ranks, Device device, Dtype dtype, Execution execution, long room, long total) {
  private static final String PASS_OPTION = " (--micro-batch; of bench train, --batch)";

  /** Asked of a device as it is now. */
  static Demand of(ModelConfig model, TrainConfig recipe, int ranks, Device device, Dtype dtype, Execution execution) {
    device.freeUnused();
    long total = device.totalBytes();
    return new Demand(model, recipe, ranks, device, dtype, execution, total - device.bytesInUse(), total);
  }

  /**
   * Does some of the training.
   *
   * @throws OutOfDeviceMemory where the device has no memory for it
   */
  <T> T meet(Supplier<T> work) {
    try {
      return work.get();
    } catch (RuntimeException e) {
      throw orShortage(e);
    }
  }

  /** What stands for an exception: itself, but for a device without memory. */
  RuntimeException orShortage(RuntimeException error) {
    return error instanceof OutOfDeviceMemory || !OutOfMemory.isCauseOf(error) ? error : new OutOfDeviceMemory(message(), error);
  }

  private String message() {
    var share = Share.of(recipe, 0, ranks);
    long computed = bytes(share.microBatch(), execution);
    return String.format(Locale.ROOT,
        "Training %d layers of width %,d (%s) by passes of %d × %,d tokens%s takes %s, but the device had %s free of %s; %s",
        model.layers(),
        model.width(), model.projection(), share.microBatch(), recipe.length(), execution.recompute() ? " with recomputation" : "",
        computed > room ? "about " + gib(computed) : "more than the " + gib(computed) + " computed", gib(room), gib(total), advice(share));
  }

  private String advice(Share share) {
    var frugal = execution.recomputing(true);
    int most = largest(share, execution);
    int mostFrugal = largest(share, frugal);
    var ways = new ArrayList<String>();
    if (most > 0) ways.add("give passes of " + most + PASS_OPTION);
    if (mostFrugal == share.microBatch()) {
      ways.add("add --recompute");
    } else if (mostFrugal > most) {
      ways.add("give passes of " + mostFrugal + PASS_OPTION + " and --recompute");
    }
    if (!ways.isEmpty()) return String.join(", or ", ways);
    return "even one sequence a pass takes " + gib(bytes(1, frugal))
        + " with --recompute, so choose a smaller --model or a shorter --length";
  }

  /** The most sequences of a pass that fit and divide the step, fewer than failed where nothing else is changed; 0 for none. */
  private int largest(Share share, Execution by) {
    int most = by.equals(execution) ? share.microBatch() - 1 : share.microBatch();
    for (int n = most; n > 0; n--) {
      if (share.sequences() % n == 0 && bytes(n, by) <= room) return n;
    }
    return 0;
  }

  private long bytes(int microBatch, Execution by) {
    return Footprint.of(model, recipe.withMicroBatch(microBatch), ranks, device, dtype, by).total();
  }

  private static String gib(long bytes) {
    return String.format(Locale.ROOT, "%.1f GiB", bytes / (double) (1 << 30));
  }
}
