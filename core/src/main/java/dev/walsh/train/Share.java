package dev.walsh.train;

import dev.walsh.config.Recipe;
import dev.walsh.config.TrainConfig;
import dev.walsh.config.UserError;

/**
 * The part of every step's batch that one of several ranks computes: as many sequences as each of the others, one after the other. What a
 * step computes is the same whatever the number of ranks, but for the rounding of sums in another order.
 *
 * @param rank counted from 0
 * @param ranks how many share the batch
 * @param sequences of a step, for this rank
 * @param microBatch sequences of one pass: the recipe's, or fewer where those do not divide
 */
public record Share(int rank, int ranks, int sequences, int microBatch) {
  /** @throws UserError where the batch cannot be divided, with sizes that can */
  public static Share of(TrainConfig recipe, int rank, int ranks) {
    int batch = recipe.batch();
    if (batch % ranks != 0) {
      int below = batch / ranks * ranks;
      int above = below + ranks;
      int length = recipe.length();
      throw new UserError(
          "A step of --batch-tokens " + recipe.batchTokens() + " has " + batch + " sequences of " + length + ", which " + ranks
              + " ranks cannot share; give --batch-tokens " + (below > 0 ? below * length + " or " : "") + above * length);
    }
    int sequences = batch / ranks;
    return new Share(rank, ranks, sequences, Recipe.largestDivisor(sequences, recipe.microBatch()));
  }

  /** Forward and backward passes of a step, for this rank. */
  public int passes() {
    return sequences / microBatch;
  }

  /** The number of this rank's first window of a step, which is counted from 0; see {@link dev.walsh.data.Loader}. */
  long firstWindow(long step) {
    return (step * ranks + rank) * sequences;
  }
}
