package dev.walsh.kernels.wht;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.UserError;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A model's frozen H_d as a Kronecker product of Hadamard matrices, outermost first; checkpoints record it.
 *
 * <p>Over (head, channel), {@code H_d = H_heads ⊗ H_(d/heads)} where both orders exist, else the one matrix of order d. The convention is
 * y ↦ y·H on row vectors, in natural order, orthonormal. Each factor is itself P_core ⊗ S_(2^log2).
 *
 * @param factors the orders in Kronecker order, one or two of them
 */
public record HadamardFactors(List<HadamardOrder> factors) {
  public HadamardFactors {
    factors = List.copyOf(factors);
    if (factors.isEmpty()) {
      throw new IllegalArgumentException("a Kronecker product needs at least one factor");
    }
    if (factors.stream().mapToLong(HadamardOrder::order).reduce(1, Math::multiplyExact) > HadamardOrder.MAX) {
      throw new IllegalArgumentException("the product of " + factors + " exceeds " + HadamardOrder.MAX);
    }
  }

  /**
   * The factors of a model of width {@code d} with {@code heads} heads.
   *
   * @throws UserError where heads do not divide d, or where neither the pair nor d itself has a Hadamard matrix
   */
  public static HadamardFactors of(int d, int heads) {
    if (d < 1 || heads < 1 || d % heads != 0) {
      throw new UserError("The width " + d + " is not a multiple of " + heads + " heads: choose a number of heads that divides it.");
    }
    if (HadamardOrder.isSupported(heads) && HadamardOrder.isSupported(d / heads)) {
      return new HadamardFactors(List.of(HadamardOrder.of(heads), HadamardOrder.of(d / heads)));
    }
    return of(HadamardOrder.of(d));
  }

  /** The factors of a model's output projection, null where it has no Hadamard matrix. */
  public static @Nullable HadamardFactors of(ModelConfig model) {
    return model.projection().mix().isHadamard() ? of(model.width(), model.heads()) : null;
  }

  /** The one matrix of the order, P_core ⊗ S_(2^log2). */
  public static HadamardFactors of(HadamardOrder order) {
    return new HadamardFactors(List.of(order));
  }

  /** The order of the product, d. */
  public int order() {
    int order = 1;
    for (var factor : factors) {
      order *= factor.order();
    }
    return order;
  }

  /** H_d of shape (d, d), row-major and orthonormal. */
  public double[] dense() {
    return HadamardMatrix.of(this).dense();
  }

  /**
   * H_d as a product A ⊗ B of two dense factors of about equal order. With y of shape (N, d) seen as Y of shape (N, a, b), y·H_d is
   * Aᵀ·Y·B for each of the N.
   */
  public Split split() {
    var atoms = HadamardMatrix.atoms(this);
    int d = order();
    int best = 0;
    int bestSum = Integer.MAX_VALUE;
    for (int cut = 0, a = 1; cut <= atoms.size(); a *= cut < atoms.size() ? atoms.get(cut).order() : 1, cut++) {
      if (a + d / a < bestSum) {
        bestSum = a + d / a;
        best = cut;
      }
    }
    var left = HadamardMatrix.ofAtoms(atoms.subList(0, best));
    var right = HadamardMatrix.ofAtoms(atoms.subList(best, atoms.size()));
    return new Split(left, right);
  }

  /**
   * H_d as mixed ⊗ folded with the largest right factor that acts inside a head, so that it can live in the value projection.
   *
   * @param heads of d/heads channels each
   */
  public Fold fold(int heads) {
    var mixed = new ArrayList<>(factors);
    var folded = new ArrayList<HadamardOrder>();
    int channels = order() / heads;
    while (!mixed.isEmpty() && channels % mixed.getLast().order() == 0) {
      channels /= mixed.getLast().order();
      folded.addFirst(mixed.removeLast());
    }
    if (!mixed.isEmpty()) {
      // Of a factor that is too large, what of its Sylvester part fits.
      int fitting = Math.min(Integer.lowestOneBit(channels), 1 << mixed.getLast().log2());
      mixed.add(HadamardOrder.of(mixed.removeLast().order() / fitting));
      folded.addFirst(HadamardOrder.of(fitting));
    }
    return new Fold(product(mixed), product(folded));
  }

  private static HadamardFactors product(List<HadamardOrder> factors) {
    return factors.isEmpty() ? of(HadamardOrder.of(1)) : new HadamardFactors(factors);
  }

  /** One line for people: the explanation of each factor, joined by ⊗. */
  public String explain() {
    return factors.size() == 1
        ? factors.getFirst().explain()
        : String.join(" ⊗ ", factors.stream().map(f -> "(" + f.explain() + ")").toList());
  }

  /**
   * Two matrices whose Kronecker product left ⊗ right is H_d.
   *
   * @param left A, of order a
   * @param right B, of order b, with a·b = d
   */
  public record Split(HadamardMatrix left, HadamardMatrix right) {}

  /**
   * Two matrices whose Kronecker product mixed ⊗ folded is H_d.
   *
   * @param mixed what is left for the output projection: it mixes heads, and channels where no more can be folded
   * @param folded of an order that divides the channels of a head
   */
  public record Fold(HadamardFactors mixed, HadamardFactors folded) {}
}
