package dev.walsh.train;

import dev.walsh.config.TrainConfig;
import dev.walsh.data.Loader;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Staging;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.bytedeco.pytorch.Tensor;

/** The batches of a run's steps, read one ahead, so that the device never waits for text. */
final class Feed implements AutoCloseable {
  private final Loader loader;
  private final int sequences;
  private final long[] ids;
  private final long[] targets;
  private final Staging stagedIds;
  private final Staging stagedTargets;
  private boolean ahead;

  Feed(Loader loader, TrainConfig config, Device device) {
    this.loader = loader;
    sequences = config.batch();
    ids = new long[config.batchTokens()];
    targets = new long[config.batchTokens()];
    stagedIds = new Staging(device, ids.length);
    stagedTargets = new Staging(device, targets.length);
  }

  /** Goes to the batch of a step, counted from 0. */
  void seek(long step) {
    loader.seek(step * sequences);
    ahead = false;
  }

  /** Fills the tensors, of as many elements as a step has tokens, with the next batch. */
  void next(Tensor intoIds, Tensor intoTargets) {
    readAhead();
    stagedIds.receive(intoIds.view(-1));
    stagedTargets.receive(intoTargets.view(-1));
    ahead = false;
  }

  /** Reads the next batch, if that is not done yet, and sends it on its way. */
  void readAhead() {
    if (ahead) return;
    loader.next(sequences, ids, targets);
    send(ids, stagedIds);
    send(targets, stagedTargets);
    ahead = true;
  }

  private static void send(long[] tokens, Staging to) {
    MemorySegment.copy(tokens, 0, to.memory(), ValueLayout.JAVA_LONG, 0, tokens.length);
    to.send();
  }

  @Override
  public void close() {
    stagedIds.close();
    stagedTargets.close();
  }
}
