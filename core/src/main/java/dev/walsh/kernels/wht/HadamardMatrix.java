package dev.walsh.kernels.wht;

import java.util.ArrayList;
import java.util.List;

/**
 * A Hadamard matrix in walsh's frozen convention, held as its Kronecker atoms: Paley cores and Sylvester matrices of order 2.
 *
 * <p>It transforms row vectors, y ↦ y·H, in natural order. Cores of the first Paley construction are not symmetric, so y·H and y·Hᵀ differ.
 * Entries are computed on demand; nothing of size d × d is kept.
 */
public final class HadamardMatrix {
  private final List<Integer> atoms;
  private final int order;

  private HadamardMatrix(List<Integer> atoms) {
    this.atoms = List.copyOf(atoms);
    order = atoms.stream().mapToInt(Integer::intValue).reduce(1, (a, b) -> a * b);
  }

  /** The matrix of one order, P_core ⊗ S_(2^log2). */
  public static HadamardMatrix of(HadamardOrder order) {
    return of(HadamardFactors.of(order));
  }

  /** The Kronecker product of the factors. */
  public static HadamardMatrix of(HadamardFactors factors) {
    return ofAtoms(atoms(factors));
  }

  static HadamardMatrix ofAtoms(List<Integer> atoms) {
    return new HadamardMatrix(atoms);
  }

  /** The orders of the atoms in Kronecker order: 2 stands for [[1, 1], [1, −1]], anything else for a Paley core. */
  static List<Integer> atoms(HadamardFactors factors) {
    var atoms = new ArrayList<Integer>();
    for (var factor : factors.factors()) {
      if (factor.core() > 1) {
        atoms.add(factor.core());
      }
      for (int k = 0; k < factor.log2(); k++) {
        atoms.add(2);
      }
    }
    return atoms;
  }

  /** The number of rows and columns, d. */
  public int order() {
    return order;
  }

  /** The sign of the entry of row {@code i} and column {@code j}: +1 or −1. */
  public int sign(int i, int j) {
    int sign = 1;
    for (int at = atoms.size() - 1; at >= 0; at--) {
      int atom = atoms.get(at);
      sign *= atom == 2 ? 1 - 2 * (i & j & 1) : PaleyCore.of(atom).sign(i % atom, j % atom);
      i /= atom;
      j /= atom;
    }
    return sign;
  }

  /** All entries as +1 and −1, row-major of shape (d, d). */
  public byte[] signs() {
    byte[] product = {1};
    int n = 1;
    for (int atom : atoms) {
      product = kronecker(product, n, atom);
      n *= atom;
    }
    return product;
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

  private static byte[] kronecker(byte[] left, int n, int atom) {
    var core = atomSigns(atom);
    var product = new byte[Math.multiplyExact(Math.multiplyExact(n, atom), Math.multiplyExact(n, atom))];
    for (int i = 0, at = 0; i < n * atom; i++) {
      for (int j = 0; j < n; j++) {
        for (int k = 0; k < atom; k++) {
          product[at++] = (byte) (left[i / atom * n + j] * core[i % atom * atom + k]);
        }
      }
    }
    return product;
  }

  /** The signs of one atom, row-major. */
  static byte[] atomSigns(int atom) {
    if (atom == 2) {
      return new byte[] {1, 1, 1, -1};
    }
    var core = PaleyCore.of(atom);
    var signs = new byte[Math.multiplyExact(atom, atom)];
    for (int i = 0, at = 0; i < atom; i++) {
      for (int j = 0; j < atom; j++) {
        signs[at++] = (byte) core.sign(i, j);
      }
    }
    return signs;
  }
}
