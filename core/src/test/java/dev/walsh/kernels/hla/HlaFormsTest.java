package dev.walsh.kernels.hla;

import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every form computes what the definition's loops do, and all forms have the same gradients, for every kind of attention. */
final class HlaFormsTest {
  private static final double EXACT = 1e-11;

  @ParameterizedTest
  @EnumSource
  void bidirectionalFormsAreTheDefinition(HlaCase kind) {
    for (long n : new long[] {1, 63}) {
      try (var scope = Scope.open()) {
        var sample = Sample.of(kind.spec(false), Dtype.F64, n);
        var mask = n == 1 ? null : Sample.mask(n);
        var reference = sample.apply(Form.REFERENCE, mask);
        var quadratic = sample.apply(Form.QUADRATIC, mask);
        var linear = sample.apply(Form.LINEAR, mask);
        Sample.assertClose("quadratic", quadratic, reference, EXACT);
        Sample.assertClose("linear", linear, reference, EXACT);
        Sample.assertClose("gradient", sample.gradients(linear), sample.gradients(quadratic), EXACT);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void causalFormsAreTheDefinition(HlaCase kind) {
    for (long n : new long[] {1, 37}) {
      try (var scope = Scope.open()) {
        var sample = Sample.of(kind.spec(true), Dtype.F64, n);
        var mask = n == 1 ? null : Sample.mask(n);
        var reference = sample.apply(Form.REFERENCE, mask);
        var quadratic = sample.apply(Form.QUADRATIC, mask);
        Sample.assertClose("quadratic", quadratic, reference, EXACT);
        var gradients = sample.gradients(quadratic);
        for (long chunk : new long[] {8, 100}) {
          var chunked = sample.hla().chunked(sample.q(), sample.k(), sample.v(), mask, chunk);
          Sample.assertClose("chunks of " + chunk, chunked, reference, EXACT);
          Sample.assertClose("gradient in chunks of " + chunk, sample.gradients(chunked), gradients, EXACT);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void tokenByTokenIsTheDefinitionToo(HlaCase kind) {
    long n = 17;
    try (var scope = Scope.open()) {
      var sample = Sample.of(kind.spec(true), Dtype.F64, n);
      var chunked = sample.hla().chunked(sample.q(), sample.k(), sample.v(), null, 8);
      var recurrent = inSteps(sample, n);
      Sample.assertClose("recurrent", recurrent, chunked, EXACT);
      Sample.assertClose("gradient", sample.gradients(recurrent), sample.gradients(chunked), EXACT);
    }
  }

  /** Two parts of many tokens, then one at a time. */
  private static Tensor inSteps(Sample sample, long n) {
    var outs = new TensorVector();
    try (var state = sample.hla().start(Sample.BATCH)) {
      var lengths = new ArrayList<Long>(java.util.List.of(5L, 9L));
      for (long i = 14; i < n; i++) lengths.add(1L);
      long from = 0;
      for (long length : lengths) {
        var q = sample.q().narrow(2, from, length);
        var k = sample.k().narrow(2, from, length);
        var v = sample.v().narrow(2, from, length);
        outs.push_back(length == 1 ? sample.hla().step(q, k, v, state) : sample.hla().proceed(q, k, v, null, state));
        from += length;
      }
      return torch.cat(outs, 2);
    }
  }

  @ParameterizedTest
  @EnumSource
  void narrowTypesLoseNoMoreThanTheirRounding(HlaCase kind) {
    for (var dtype : new Dtype[] {Dtype.F32, Dtype.BF16}) {
      for (boolean causal : new boolean[] {false, true}) {
        try (var scope = Scope.open()) {
          var sample = Sample.of(kind.spec(causal), dtype, 41);
          var mask = Sample.mask(41);
          var reference = sample.apply(Form.REFERENCE, mask);
          var quadratic = sample.apply(Form.QUADRATIC, mask);
          var other = sample.apply(causal ? Form.CHUNKED : Form.LINEAR, mask);
          double tolerance = dtype == Dtype.F32 ? 1e-5 : 4e-2;
          Sample.assertClose(dtype + " quadratic", quadratic, reference, tolerance);
          Sample.assertClose(dtype + " other", other, reference, tolerance);
          Sample.assertClose(dtype + " gradient", sample.gradients(other), sample.gradients(quadratic), tolerance);
        }
      }
    }
  }
}
