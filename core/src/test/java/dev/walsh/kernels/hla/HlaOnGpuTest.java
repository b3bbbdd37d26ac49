package dev.walsh.kernels.hla;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** Every kind of attention on the GPU: by kernels where there are any, by libtorch's operators where not, it is the definition. */
final class HlaOnGpuTest {
  private static final int HEAD_WIDTH = 16;
  private static final long LENGTH = 150;
  private static final long CHUNK = 64;
  // No multiple of the kernels' tiles, so that libtorch's operators compute it.
  private static final long PLAIN_CHUNK = 40;

  @BeforeAll
  static void needsGpu() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
  }

  @ParameterizedTest
  @EnumSource
  void formsAreTheDefinition(HlaCase kind) {
    for (var dtype : new Dtype[] {Dtype.F32, Dtype.BF16}) {
      double tolerance = dtype == Dtype.F32 ? 1e-4 : 5e-2;
      for (boolean causal : new boolean[] {false, true}) {
        try (var scope = Scope.open()) {
          var sample = Sample.of(Device.CUDA, kind.spec(causal, HEAD_WIDTH), dtype, LENGTH);
          var mask = Sample.mask(LENGTH).to(sample.q().device(), torch.ScalarType.Bool);
          var reference = sample.apply(Form.REFERENCE, mask);
          var quadratic = sample.apply(Form.QUADRATIC, mask);
          var other = causal ? sample.hla().chunked(sample.q(), sample.k(), sample.v(), mask, CHUNK) : sample.apply(Form.LINEAR, mask);
          Sample.assertClose(dtype + " quadratic", quadratic, reference, tolerance);
          Sample.assertClose(dtype + " by states", other, reference, tolerance);
          var gradients = sample.gradients(other);
          Sample.assertClose(dtype + " gradient", gradients, sample.gradients(quadratic), tolerance);
          if (!causal) continue;
          Sample.assertClose(dtype + " in pieces", inPieces(sample, mask), reference, tolerance);
          var plain = sample.hla().chunked(sample.q(), sample.k(), sample.v(), mask, PLAIN_CHUNK);
          Sample.assertClose(dtype + " gradient beside libtorch's", gradients, sample.gradients(plain), tolerance);
        }
      }
    }
  }

  private static Tensor inPieces(Sample sample, Tensor mask) {
    try (var scope = Scope.withoutGradients(); var state = sample.hla().start(Sample.BATCH)) {
      var outs = new TensorVector();
      long from = 0;
      for (long tokens : new long[] {1, 70, LENGTH - 71}) {
        outs.push_back(sample.hla().proceed(sample.q().narrow(2, from, tokens), sample.k().narrow(2, from, tokens),
            sample.v().narrow(2, from, tokens), mask.narrow(1, from, tokens), state));
        from += tokens;
      }
      return scope.escape(torch.cat(outs, 2));
    }
  }
}
