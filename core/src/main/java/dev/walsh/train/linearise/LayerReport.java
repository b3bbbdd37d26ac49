package dev.walsh.train.linearise;

import org.jspecify.annotations.Nullable;

/**
 * What became of one layer before the model was tuned as a whole.
 *
 * @param layer its number, from 0
 * @param differenceBefore the mean absolute difference of the attention outputs, over the mean absolute output of the teacher, before its
 *     feature maps were trained
 * @param differenceAfter the same after it
 * @param lossBefore of the teacher with this layer alone replaced, in nats a token, before the training of feature maps
 * @param lossAfter the same after it
 * @param recovered the share of what that replacement had cost and no longer does; null where it cost nothing
 */
public record LayerReport(int layer, double differenceBefore, double differenceAfter, double lossBefore, double lossAfter,
    @Nullable Double recovered) {
  /** The share of the way from a loss before to the teacher's that a loss after has gone; null where there was none to go. */
  public static @Nullable Double recovered(double before, double after, double teacher) {
    return before > teacher ? (before - after) / (before - teacher) : null;
  }
}
