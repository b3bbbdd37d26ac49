package dev.walsh.kernels.wht;

import dev.walsh.config.UserError;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

final class HadamardMatrixTest {
  private static byte[] signs(int d) {
    return HadamardMatrix.of(HadamardOrder.of(d)).signs();
  }

  static IntStream ordersTo100() {
    return IntStream.rangeClosed(1, 100).filter(HadamardOrder::isSupported);
  }

  @ParameterizedTest
  @MethodSource("ordersTo100")
  void rowsAreExactlyOrthogonal(int d) {
    var p = signs(d);
    for (int i = 0; i < d; i++) {
      for (int j = 0; j < d; j++) {
        int dot = 0;
        for (int k = 0; k < d; k++) {
          dot += p[i * d + k] * p[j * d + k];
        }
        assertThat(dot).isEqualTo(i == j ? d : 0);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 8, 64, 256})
  void inSequencyOrderRowIChangesItsSignITimes(int d) {
    var matrix = HadamardMatrix.of(HadamardFactors.of(HadamardOrder.of(d)), HadamardVariant.SEQUENCY);
    var w = matrix.signs();
    for (int i = 0; i < d; i++) {
      int changes = 0;
      for (int j = 0; j < d; j++) {
        changes += j > 0 && w[i * d + j] != w[i * d + j - 1] ? 1 : 0;
        assertThat(w[i * d + j]).isEqualTo(w[j * d + i]).isEqualTo((byte) matrix.sign(i, j));
      }
      assertThat(changes).isEqualTo(i);
    }
  }

  /** Orders 20, 52 and 100 take the fields of 9, 25 and 49 elements. */
  @ParameterizedTest
  @ValueSource(ints = {12, 20, 28, 36, 52, 60, 76, 84, 100})
  void theSecondConstructionIsSymmetricAndOrthogonal(int m) {
    var p = new HadamardAtom(m, true).signs();
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < m; j++) {
        int dot = 0;
        for (int k = 0; k < m; k++) {
          dot += p[i * m + k] * p[j * m + k];
        }
        assertThat(dot).isEqualTo(i == j ? m : 0);
        assertThat(p[i * m + j]).isEqualTo(p[j * m + i]);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"12,false", "20,false", "44,false", "60,false", "768,false", "28,true", "36,true", "76,true", "64,true"})
  void onlyTheFirstConstructionIsNotSymmetric(int d, boolean symmetric) {
    var p = signs(d);
    boolean same = IntStream.range(0, d * d).allMatch(at -> p[at] == p[at % d * d + at / d]);
    assertThat(same).isEqualTo(symmetric);
  }

  @Test
  void smallMatricesAreTheTextbooks() {
    assertThat(signs(1)).containsExactly(1);
    assertThat(signs(4)).containsExactly(1, 1, 1, 1, 1, -1, 1, -1, 1, 1, -1, -1, 1, -1, -1, 1);
    // Squares modulo 11 are 1, 3, 4, 5, 9.
    assertThat(List.of(0, 1, 2).stream().map(i -> row(signs(12), 12, i)))
        .containsExactly("++++++++++++", "-++-+++---+-", "--++-+++---+");
  }

  private static String row(byte[] signs, int d, int i) {
    var row = new StringBuilder();
    for (int j = 0; j < d; j++) {
      row.append(signs[i * d + j] > 0 ? '+' : '-');
    }
    return row.toString();
  }

  /** Every checkpoint depends on these matrices: a hash may be added here, never changed. */
  @ParameterizedTest
  @CsvSource({"12,0,96c4e95b8f52c8ded50751d31b62e70c1d87a25db8917a1605dfa8e032d60b2d",
      "20,0,e5d1e5dd287996d7cc1cab63ec70294cd29f10841a9816602e63cd7f542b5039",
      "28,0,a24c9c5912c711a9bad9f9a9ee25a5fa088b3effa4e660143e5272d3fe4290b1",
      "36,0,1a7aed2f42a8c71de2ae13e765a6df2c2023519ef899b00d5d0baa7ee26f341b",
      "44,0,f67bcf7e314abc9646ee7f0de2ee22cfaaae399e61b5132d447206ac1ac32ab8",
      "60,0,249ae98f22299deaaaab22b2c8caa11dae74d002977688206472a19585d674a4",
      "1024,0,5a173b88a228b188b33834779879f49d602f43520e6c56c581d8adeb206732d7",
      "768,0,6c64696fee95cf791610095a99771b3ddb8c1d9f10f70dade6a972078b3e1790",
      "768,12,6c64696fee95cf791610095a99771b3ddb8c1d9f10f70dade6a972078b3e1790",
      "1536,16,44fb0cc9861802fcd87990d1d6d2d20193beb6f4d3a01c2c3564e763976b36dc",
      "2560,20,e8b77615af441bc841b979e2267a25db040011b5cada15a03f86db2ba87652bd",
      "3072,24,17eb19f6934c987fb213b9920ee6156547e18817779225c25dae04b89ca8bf60"})
  void theConventionIsFrozen(int d, int heads, String sha256) throws Exception {
    var factors = heads == 0 ? HadamardFactors.of(HadamardOrder.of(d)) : HadamardFactors.of(d, heads);
    var digest = MessageDigest.getInstance("SHA-256").digest(HadamardMatrix.of(factors).signs());
    assertThat(HexFormat.of().formatHex(digest)).isEqualTo(sha256);
  }

  @ParameterizedTest
  @CsvSource({"768,12,'12,64'", "1024,16,'16,64'", "1536,16,'16,96'", "2560,20,'20,128'", "3072,24,'24,128'", "256,4,'4,64'",
      "400,20,'20,20'",
      "768,6,768", "768,256,768", "1024,1,'1,1024'"})
  void aModelsFactorsAreHeadsTimesChannelsWhereBothExist(int d, int heads, String orders) {
    var factors = HadamardFactors.of(d, heads);
    assertThat(factors.order()).isEqualTo(d);
    assertThat(String.join(",", factors.factors().stream().map(f -> String.valueOf(f.order())).toList())).isEqualTo(orders);
  }

  @Test
  void refusesWhatHasNoMatrix() {
    assertThatThrownBy(() -> HadamardFactors.of(768, 7)).isInstanceOf(UserError.class).hasMessageContaining("7 heads");
    assertThatThrownBy(() -> HadamardFactors.of(768, 0)).isInstanceOf(UserError.class);
    assertThatThrownBy(() -> HadamardFactors.of(1600, 25)).isInstanceOf(UserError.class).hasMessageContaining("1596 or 1608");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 12, 24, 96, 240, 768})
  void denseIsOrthonormal(int d) {
    var h = HadamardFactors.of(HadamardOrder.of(d)).dense();
    double sum = 0;
    for (int k = 0; k < d; k++) {
      sum += h[k] * h[k];
    }
    assertThat(sum).isCloseTo(1, within(1e-12));
    assertThat(h[0]).isPositive();
  }

  @Property(tries = 60)
  void theSplitMultipliesOut(@ForAll @IntRange(min = 1, max = 400) int d, @ForAll @IntRange(min = 1, max = 40) int heads) {
    if (d % heads != 0 || !(HadamardOrder.isSupported(heads) && HadamardOrder.isSupported(d / heads) || HadamardOrder.isSupported(d))) {
      return;
    }
    var factors = HadamardFactors.of(d, heads);
    var split = factors.split();
    var a = split.left().dense();
    var b = split.right().dense();
    int n = split.left().order();
    int m = split.right().order();
    assertThat(n * m).isEqualTo(d);
    var h = factors.dense();
    for (int at = 0; at < d * d; at++) {
      int i = at / d;
      int j = at % d;
      assertThat(h[at]).isCloseTo(a[i / m * n + j / m] * b[i % m * m + j % m], within(1e-12));
    }
  }

  @ParameterizedTest
  @CsvSource({"768,12,12,64", "768,6,12,64", "768,24,24,32", "1536,16,16,96", "24,2,2,12", "24,1,1,24", "96,6,12,8", "20,10,20,1",
      "80,10,20,4",
      "128,8,8,16"})
  void asMuchIsFoldedAsActsInsideAHead(int d, int heads, int mixed, int folded) {
    var factors = HadamardFactors.of(d, heads);
    var fold = factors.fold(heads);
    assertThat(new int[] {fold.mixed().order(), fold.folded().order()}).containsExactly(mixed, folded);
    var m = HadamardMatrix.of(fold.mixed());
    var b = HadamardMatrix.of(fold.folded());
    var whole = HadamardMatrix.of(factors).signs();
    var product = new byte[d * d];
    for (int i = 0; i < d * d; i++) {
      int row = i / d;
      int column = i % d;
      product[i] = (byte) (m.sign(row / folded, column / folded) * b.sign(row % folded, column % folded));
    }
    assertThat(Arrays.equals(product, whole)).isTrue();
  }

  @ParameterizedTest
  @CsvSource({"768,12,24,32", "1024,16,32,32", "1536,16,16,96", "2560,20,40,64"})
  void theSplitIsAboutEven(int d, int heads, int left, int right) {
    var split = HadamardFactors.of(d, heads).split();
    assertThat(new int[] {split.left().order(), split.right().order()}).containsExactly(left, right);
  }
}
