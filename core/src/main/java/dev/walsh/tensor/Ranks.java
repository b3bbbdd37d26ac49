package dev.walsh.tensor;

import dev.walsh.config.UserError;
import dev.walsh.ranks.Rendezvous;
import dev.walsh.ranks.RollCall;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;

/**
 * The processes that compute one thing together, each on a device of its own, as one of them sees it: which of them it is, and the operations
 * that all of them call in the same order. A process alone has a trivial form of it, which calls nothing.
 */
public sealed interface Ranks extends AutoCloseable permits RankAlone, RankGroup {
  /** An operation that was begun. */
  @FunctionalInterface
  interface Pending {
    /** What follows sees the result: on the GPU the current stream waits, and the host does not. */
    void await();
  }

  /** A process without others. */
  static Ranks alone() {
    return RankAlone.INSTANCE;
  }

  /**
   * Waits until all ranks are there, and connects their devices: GPUs through NCCL, CPUs through Gloo.
   *
   * @param onHang told where a rank was lost and this process waits for it in native code, which nothing but the end of the process ends
   * @throws UserError that names a rank which did not come
   */
  static Ranks connect(Rendezvous at, Device device, Consumer<UserError> onHang) {
    return at.isAlone() ? alone() : RankGroup.connect(at, device, RollCall.Patience.USUAL, onHang);
  }

  /** The number of this process, counted from 0. */
  int rank();

  /** The number of processes. */
  int size();

  /** Whether this is the one that logs and saves. */
  default boolean isFirst() {
    return rank() == 0;
  }

  default boolean isAlone() {
    return size() == 1;
  }

  /** Begins to replace a contiguous tensor by the sum over all ranks, of the same bits on each; it must not be touched before the end. */
  Pending beginSum(Tensor t);

  /** Replaces a contiguous tensor by the sum over all ranks. */
  default void sum(Tensor t) {
    beginSum(t).await();
  }

  /** Replaces a contiguous tensor by rank 0's. */
  void broadcast(Tensor t);

  /** Rank 0's text. */
  String tell(String text);

  /** Says that all is done: the others may end at any time from now on, and so may this one. */
  void finish();

  @Override
  void close();
}
