package dev.walsh.kernels.hla;

import dev.walsh.kernels.hla.FeatureMap.Softplus;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.List;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** No form makes a tensor of N×R elements, forward or backward: it never has half of the memory that one would take in float32. */
final class LinearMemoryTest {
  private static final long LENGTH = 1 << 13;
  private static final List<FeatureMap> FACTORS = List.of(new Softplus(16), new Softplus(16), new Softplus(16));
  private static final long ALL_PRODUCTS = LENGTH * 16 * 16 * 16;

  private static final int TRIES = 4;

  private final int threads = Device.threads();

  /** On one thread: the shapes are small, and threads that wait for one another on a busy machine take longer than the work. */
  @BeforeEach
  void setUp() {
    assumeTrue(NativeMemory.isKnown(), "native allocations are only counted by glibc");
    Device.setThreads(1);
  }

  @AfterEach
  void restoreThreads() {
    Device.setThreads(threads);
  }

  @ParameterizedTest
  @CsvSource({"LINEAR,FEATURES", "CHUNKED,FEATURES", "LINEAR,VALUES", "CHUNKED,VALUES", "QUADRATIC,FEATURES"})
  void noTensorHoldsTheProductsOfAllTokens(Form form, Modulation modulation) throws InterruptedException {
    var spec = HlaSpec.of(1, 8, form == Form.CHUNKED, FACTORS).with(modulation);
    // Once before, at little length: what the JIT compiler works in is native memory too.
    forwardAndBackward(spec, form, 1 << 9);
    long most = ALL_PRODUCTS * Float.BYTES / 2;
    long peak = Long.MAX_VALUE;
    // Whatever else the JVM does meanwhile is counted too, so a high peak is looked at again; a tensor would be there every time.
    for (int i = 0; i < TRIES && peak >= most; i++) peak = NativeMemory.peak(() -> forwardAndBackward(spec, form, LENGTH));
    assertThat(peak).isPositive().isLessThan(most);
  }

  @Test
  void oneSuchTensorWouldBeSeen() throws InterruptedException {
    assertThat(NativeMemory.peak(() -> torch.ones(ALL_PRODUCTS).close())).isGreaterThanOrEqualTo(ALL_PRODUCTS * Float.BYTES);
  }

  private static void forwardAndBackward(HlaSpec spec, Form form, long n) {
    try (var scope = Scope.open()) {
      var hla = new Hla(spec, new Weights(Device.CPU, Dtype.F32, 0).at("attention"));
      var x = torch.randn(1, 1, n, 8).set_requires_grad(true);
      hla.apply(form, x, x, x, null).sum().backward();
    }
  }
}
