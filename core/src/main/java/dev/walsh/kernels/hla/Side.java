package dev.walsh.kernels.hla;

import dev.walsh.tensor.Weights;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * How queries or keys make the products that the state is indexed by.
 *
 * <p>Untied, each product is one. Of a symmetric state, whose tied side makes each product of features a ≥ b ≥ c once, the other side must
 * count all orders of them: Σ over orders x₁[a]·x₂[b]·x₃[c], over the number of orders that are the same. Where that side is tied too,
 * all summands are equal, and a number a product is left.
 *
 * @param orders which of the side's tensors gives the first, the second and the third feature, in each summand
 * @param weights (R,1), what each sum is multiplied by, or null for one
 */
record Side(int[][] orders, @Nullable Tensor weights) {
  /** The queries' side. */
  static Side queries(HlaSpec spec, Monomials monomials, Weights.Path path) {
    return of(spec.tieQueries(), spec.tieKeys(), monomials, path);
  }

  /** The keys' side: they count all orders only where they alone are untied. */
  static Side keys(HlaSpec spec, Monomials monomials, Weights.Path path) {
    return of(spec.tieKeys(), spec.tieQueries() && !spec.tieKeys(), monomials, path);
  }

  private static Side of(boolean tied, boolean countsOrders, Monomials monomials, Weights.Path path) {
    int factors = monomials.factors();
    var inOrder = new int[factors];
    if (!tied) Arrays.setAll(inOrder, i -> i);
    if (!countsOrders || factors == 1) return new Side(new int[][] {inOrder}, null);
    var repetitions = monomials.repetitions();
    var permutations = permutations(factors);
    double summands = tied ? permutations.length : 1;
    var weights = Arrays.stream(repetitions).map(same -> summands / same).toArray();
    var tensor = path.fixed(Operands.sumDtype(path.dtype()), weights, weights.length, 1);
    return new Side(tied ? new int[][] {inOrder} : permutations, tensor);
  }

  private static int[][] permutations(int n) {
    var found = new ArrayList<int[]>();
    permute(new int[n], 0, n, found);
    return found.toArray(int[][]::new);
  }

  private static void permute(int[] chosen, int length, int n, List<int[]> found) {
    if (length == n) {
      found.add(chosen.clone());
      return;
    }
    for (int i = 0; i < n; i++) {
      int candidate = i;
      if (Arrays.stream(chosen, 0, length).anyMatch(taken -> taken == candidate)) continue;
      chosen[length] = i;
      permute(chosen, length + 1, n, found);
    }
  }
}
