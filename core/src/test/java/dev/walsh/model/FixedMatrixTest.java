package dev.walsh.model;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.nio.ByteBuffer;
import java.util.zip.CRC32;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

/** The matrices of the maps without weights: what they promise, and that they stay what they are. */
final class FixedMatrixTest {
  private static ModelConfig config(String projection, int width, int heads) {
    return new ModelConfig(1, width, heads, 8, 4, 61, Projection.named(projection));
  }

  @ParameterizedTest
  @CsvSource({"hadamard,768,12", "hadamard-folded,96,6", "signed-hadamard,24,2", "identity,24,2", "random-orthogonal,2,1",
      "random-orthogonal,26,1", "random-orthogonal,512,8", "padded-hadamard,256,4"})
  void rowsAreOrthonormal(String projection, int width, int heads) {
    try (var scope = Scope.withoutGradients()) {
      var w = FixedMatrix.of(config(projection, width, heads));
      var error = torch.matmul(w, w.t()).sub(torch.eye(width, w.options())).abs().max().item_double();
      assertThat(error).isLessThan(1e-12);
    }
  }

  /** 1 on most directions, and on the rest what the corner of Sylvester's matrix leaves. */
  @ParameterizedTest
  @CsvSource({"768,1:512,0.5:256", "24,1:16,0.5:8", "40,1:16,0.7071067811865476:16"})
  void paddingShrinksSomeDirections(int width, String most, String some) {
    try (var scope = Scope.withoutGradients()) {
      var values = Memory.doubles(torch.linalg_svdvals(FixedMatrix.of(config("padded-hadamard", width, 2))));
      int from = expect(values, 0, most);
      from = expect(values, from, some);
      if (width == 40) from = expect(values, from, "0.3535533905932738:8");
      assertThat(from).isEqualTo(width);
    }
  }

  private static int expect(double[] values, int from, String valueAndCount) {
    var parts = valueAndCount.split(":", -1);
    int to = from + Integer.parseInt(parts[1]);
    for (int i = from; i < to; i++) assertThat(values[i]).isCloseTo(Double.parseDouble(parts[0]), within(1e-12));
    return to;
  }

  @Test
  void atAPowerOfTwoPaddingChangesNothing() {
    try (var scope = Scope.withoutGradients()) {
      assertThat(FixedMatrix.of(config("padded-hadamard", 256, 4)).equal(FixedMatrix.of(config("hadamard", 256, 4)))).isTrue();
    }
  }

  /** Another matrix would be another model under every checkpoint. */
  @Test
  void theRandomMatrixIsFrozen() {
    assertThat(hash(HaarMatrix.of(24))).isEqualTo(2_921_856_446L);
    var signs = new StringBuilder();
    var random = new CounterRandom(0x7369676E);
    for (int i = 0; i < 32; i++) signs.append(random.sign(i) < 0 ? '-' : '+');
    assertThat(signs).hasToString("+-+---+-+---+---+------+--++--++");
  }

  private static long hash(double[] values) {
    var bytes = ByteBuffer.allocate(values.length * Double.BYTES);
    bytes.asDoubleBuffer().put(values);
    var crc = new CRC32();
    crc.update(bytes.array());
    return crc.getValue();
  }

  /** Of Haar's measure: entries and traces of mean zero, and of the squares and fourth powers that n dimensions have. */
  @Test
  void theRandomMatrixFavoursNoDirection() {
    int n = 256;
    var q = HaarMatrix.of(n);
    double squares = 0;
    double fourths = 0;
    for (double x : q) {
      squares += x * x;
      fourths += x * x * x * x;
    }
    double entries = (double) n * n;
    assertThat(squares / entries).isCloseTo(1.0 / n, within(1e-12));
    assertThat(fourths / entries * n * (n + 2)).isCloseTo(3, within(0.1));
    double trace = 0;
    double symmetric = 0;
    for (int i = 0; i < n; i++) {
      trace += q[i * n + i];
      for (int j = 0; j < n; j++) symmetric += q[i * n + j] * q[j * n + i];
    }
    // The traces of Q and of Q² are nearly normal, of variances 1 and 2 (Diaconis and Shahshahani 1994); the mean of the second is 1.
    assertThat(trace).isBetween(-4.0, 4.0);
    assertThat(symmetric).isBetween(-5.0, 7.0);
  }

  @Test
  void aLearnedMapHasNoFixedMatrix() {
    assertThatThrownBy(() -> FixedMatrix.of(config("dense", 24, 2))).isInstanceOf(IllegalArgumentException.class);
  }
}
