package dev.walsh.kernels.hla;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

final class MonomialsTest {
  @Test
  void packedStatesAreAsSmallAsSymmetryAllows() {
    // The table of the README: ranks, and entries of the state untied and tied.
    for (int[] row : new int[][] {{2, 16, 256, 136}, {2, 32, 1024, 528}, {2, 64, 4096, 2080}, {3, 8, 512, 120}, {3, 16, 4096, 816}}) {
      var ranks = new int[row[0]];
      Arrays.fill(ranks, row[1]);
      assertThat(new Monomials(ranks, false).size()).isEqualTo(row[2]);
      assertThat(new Monomials(ranks, true).size()).isEqualTo(row[3]);
    }
  }

  @Property(tries = 50)
  void everyCombinationIsThereOnce(@ForAll @Size(min = 1, max = 3) List<@IntRange(min = 1, max = 5) Integer> drawn) {
    var ranks = drawn.stream().mapToInt(Integer::intValue).toArray();
    var monomials = new Monomials(ranks, false);
    assertThat(monomials.size()).isEqualTo(Arrays.stream(ranks).reduce(1, (a, b) -> a * b));
    assertThat(distinct(monomials)).isEqualTo(monomials.size());
  }

  /** (x·y)^F = Σ over distinct products of F!/(orders that are the same) · x^product · y^product. */
  @Property(tries = 50)
  void powersOfInnerProductsAreWeighedSumsOfPackedProducts(@ForAll @IntRange(min = 1, max = 3) int factors,
      @ForAll @Size(min = 1, max = 6) List<@IntRange(min = -3, max = 3) Integer> x) {
    var ranks = new int[factors];
    Arrays.fill(ranks, x.size());
    var monomials = new Monomials(ranks, true);
    assertThat(distinct(monomials)).isEqualTo(monomials.size());
    var repetitions = monomials.repetitions();
    double orders = factors == 3 ? 6 : factors;
    double sum = 0;
    for (int i = 0; i < monomials.size(); i++) {
      double product = 1;
      for (int f = 0; f < factors; f++) {
        int feature = (int) monomials.features(f)[i];
        product *= x.get(feature) * (feature + 0.5);
      }
      sum += orders / repetitions[i] * product;
    }
    double inner = 0;
    for (int a = 0; a < x.size(); a++) inner += x.get(a) * (a + 0.5);
    assertThat(sum).isCloseTo(Math.pow(inner, factors), offset(1e-6));
  }

  private static int distinct(Monomials monomials) {
    var seen = new HashSet<String>();
    for (int i = 0; i < monomials.size(); i++) {
      var features = new double[monomials.factors()];
      for (int f = 0; f < features.length; f++) features[f] = monomials.features(f)[i];
      seen.add(Arrays.toString(features));
    }
    return seen.size();
  }
}
