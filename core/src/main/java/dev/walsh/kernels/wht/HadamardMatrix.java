package dev.walsh.kernels.wht;

import java.util.ArrayList;
import java.util.List;

/**
 * A Hadamard matrix, in walsh's frozen convention or another {@link HadamardVariant}, held as its Kronecker atoms: Paley cores and Sylvester
 * matrices of order 2.
 *
 * <p>It transforms row vectors, y ↦ y·H, in natural order unless it says otherwise. Cores of the first Paley construction are not symmetric, so y·H and y·Hᵀ differ.
 * Entries are computed on demand; nothing of size d × d is kept.
 */
public final class HadamardMatrix {
  private final List<HadamardAtom> atoms;
  private final int order;
  private final boolean sequency;

  private HadamardMatrix(List<HadamardAtom> atoms, boolean sequency) {
    this.atoms = List.copyOf(atoms);
    order = order(atoms);
    this.sequency = sequency;
  }

  /** The matrix of one order, P_core ⊗ S_(2^log2). */
  public static HadamardMatrix of(HadamardOrder order) {
    return of(HadamardFactors.of(order));
  }

  /** The Kronecker product of the factors. */
  public static HadamardMatrix of(HadamardFactors factors) {
    return of(factors, HadamardVariant.NATURAL);
  }

  /**
   * The Kronecker product of the factors, each of the given kind; in sequency order it is the one matrix of the product's order.
   *
   * @throws dev.walsh.config.UserError where a factor has no such matrix
   */
  public static HadamardMatrix of(HadamardFactors factors, HadamardVariant variant) {
    variant.check(factors);
    return new HadamardMatrix(atoms(factors, variant), variant == HadamardVariant.SEQUENCY);
  }

  static HadamardMatrix ofAtoms(List<HadamardAtom> atoms) {
    return new HadamardMatrix(atoms, false);
  }

  /** The atoms of walsh's convention in Kronecker order. */
  static List<HadamardAtom> atoms(HadamardFactors factors) {
    return atoms(factors, HadamardVariant.NATURAL);
  }

  /** The atoms in Kronecker order; those of the sequency order are the natural ones. */
  static List<HadamardAtom> atoms(HadamardFactors factors, HadamardVariant variant) {
    var atoms = new ArrayList<HadamardAtom>();
    for (var factor : factors.factors()) {
      if (factor.core() > 1) {
        atoms.add(new HadamardAtom(factor.core(), variant == HadamardVariant.SYMMETRIC));
      }
      for (int k = 0; k < factor.log2(); k++) {
        atoms.add(new HadamardAtom(2, true));
      }
    }
    return atoms;
  }

  /** The order of the Kronecker product. */
  static int order(List<HadamardAtom> atoms) {
    return atoms.stream().mapToInt(HadamardAtom::order).reduce(1, Math::multiplyExact);
  }

  /** The number of rows and columns, d. */
  public int order() {
    return order;
  }

  /** The sign of the entry of row {@code i} and column {@code j}: +1 or −1. */
  public int sign(int i, int j) {
    int row = naturalRow(i);
    int sign = 1;
    for (var atom : atoms.reversed()) {
      sign *= atom.sign(row % atom.order(), j % atom.order());
      row /= atom.order();
      j /= atom.order();
    }
    return sign;
  }

  private int naturalRow(int i) {
    return sequency ? HadamardVariant.naturalRow(i, atoms.size()) : i;
  }

  /** All entries as +1 and −1, row-major of shape (d, d). */
  public byte[] signs() {
    byte[] product = {1};
    int n = 1;
    for (var atom : atoms) {
      product = kronecker(product, n, atom);
      n *= atom.order();
    }
    return sequency ? inSequency(product) : product;
  }

  private byte[] inSequency(byte[] natural) {
    var rows = new byte[natural.length];
    for (int i = 0; i < order; i++) {
      System.arraycopy(natural, naturalRow(i) * order, rows, i * order, order);
    }
    return rows;
  }

  /** The orthonormal matrix H = signs/√d, row-major of shape (d, d). */
  public double[] dense() {
    var signs = signs();
    var dense = new double[signs.length];
    double scale = 1 / Math.sqrt(order);
    for (int i = 0; i < dense.length; i++) {
      dense[i] = signs[i] * scale;
    }
    return dense;
  }

  private static byte[] kronecker(byte[] left, int n, HadamardAtom atom) {
    int m = atom.order();
    var core = atom.signs();
    var product = new byte[Math.multiplyExact(Math.multiplyExact(n, m), Math.multiplyExact(n, m))];
    for (int i = 0, at = 0; i < n * m; i++) {
      for (int j = 0; j < n; j++) {
        for (int k = 0; k < m; k++) {
          product[at++] = (byte) (left[i / m * n + j] * core[i % m * m + k]);
        }
      }
    }
    return product;
  }
}
