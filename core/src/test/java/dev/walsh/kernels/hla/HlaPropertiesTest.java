package dev.walsh.kernels.hla;

import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Memory;
import dev.walsh.tensor.Scope;
import java.util.List;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import static org.assertj.core.api.Assertions.assertThat;

/** What holds of every attention of this kind, in every form and dtype. */
final class HlaPropertiesTest {
  private static final List<Dtype> DTYPES = List.of(Dtype.F64, Dtype.F32, Dtype.BF16);

  private static double rounding(Dtype dtype) {
    return switch (dtype) {
      case F64 -> 1e-12;
      case F32 -> 1e-5;
      default -> 1e-2;
    };
  }

  private static List<Form> forms(boolean causal) {
    return List.of(Form.QUADRATIC, causal ? Form.CHUNKED : Form.LINEAR);
  }

  @ParameterizedTest
  @EnumSource(names = {".*RMS", "ROTATED.*"}, mode = EnumSource.Mode.MATCH_NONE)
  void constantValuesGiveAConstantOutput(HlaCase kind) {
    for (var dtype : DTYPES) {
      for (boolean causal : new boolean[] {false, true}) {
        try (var scope = Scope.withoutGradients()) {
          var sample = Sample.of(kind.spec(causal), dtype, 70);
          var constant = torch.full_like(sample.v(), new Scalar(1.5));
          for (var form : forms(causal)) {
            Sample.assertClose(dtype + " " + form, sample.hla().apply(form, sample.q(), sample.k(), constant, null), constant,
                rounding(dtype));
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"ROTATED.*", "COSFORMER"}, mode = EnumSource.Mode.MATCH_NONE)
  void theOrderOfKeysDoesNotMatterWhereAllAreSeen(HlaCase kind) {
    for (var dtype : DTYPES) {
      try (var scope = Scope.withoutGradients()) {
        long n = 70;
        var sample = Sample.of(kind.spec(false), dtype, n);
        var mask = Sample.mask(n);
        var order = torch.randperm(n);
        for (var form : forms(false)) {
          var out = sample.apply(form, mask);
          var permuted = sample.hla().apply(form, sample.q(), sample.k().index_select(2, order), sample.v().index_select(2, order),
              mask.index_select(1, order));
          Sample.assertClose(dtype + " " + form, permuted, out, rounding(dtype));
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void aRowWithoutKeysIsZeroAndSoAreItsGradients(HlaCase kind) {
    for (var dtype : DTYPES) {
      for (boolean causal : new boolean[] {false, true}) {
        try (var scope = Scope.open()) {
          var sample = Sample.of(kind.spec(causal), dtype, 20);
          var mask = Sample.mask(20);
          mask.select(0, 1).fill_(new Scalar(0));
          for (var form : forms(causal)) {
            var out = sample.apply(form, mask);
            assertThat(out.select(0, 1).abs().max().item_double()).isZero();
            if (causal) assertThat(out.select(0, 0).narrow(1, 0, 3).abs().max().item_double()).isZero();
            assertThat(out.select(0, 0).narrow(1, 3, 17).abs().max().item_double()).isPositive();
            var gradients = sample.gradients(out);
            for (var gradient : gradients) assertThat(gradient.isfinite().all().item_bool()).isTrue();
            for (var gradient : gradients.subList(0, 3)) assertThat(gradient.select(0, 1).abs().max().item_double()).isZero();
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatIsMaskedIsNeverLookedAt(HlaCase kind) {
    for (boolean causal : new boolean[] {false, true}) {
      try (var scope = Scope.withoutGradients()) {
        var sample = Sample.of(kind.spec(causal), Dtype.F32, 30);
        var mask = Sample.mask(30);
        var absent = mask.logical_not().unsqueeze(1).unsqueeze(3);
        var k = sample.k().masked_fill(absent, new Scalar(Double.NaN));
        var v = sample.v().masked_fill(absent, new Scalar(Double.NaN));
        for (var form : forms(causal)) {
          assertThat(torch.equal(sample.hla().apply(form, sample.q(), k, v, mask), sample.apply(form, mask))).as("%s", form).isTrue();
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void noTokenSeesALaterOne(HlaCase kind) {
    for (var dtype : DTYPES) {
      try (var scope = Scope.withoutGradients()) {
        var sample = Sample.of(kind.spec(true), dtype, 40);
        for (var form : forms(true)) {
          var before = sample.apply(form, null);
          var k = sample.k().clone();
          var v = sample.v().clone();
          k.narrow(2, 25, 15).normal_();
          v.narrow(2, 25, 15).normal_();
          var after = sample.hla().apply(form, sample.q(), k, v, null);
          // A later key may change the scale of a chunk's features, and so their rounding.
          Sample.assertClose(dtype + " " + form, after.narrow(2, 0, 25), before.narrow(2, 0, 25), rounding(dtype));
          assertThat(torch.equal(after.narrow(2, 25, 15), before.narrow(2, 25, 15))).isFalse();
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void noTokensAndOneTokenAreSequencesToo(HlaCase kind) {
    for (var dtype : DTYPES) {
      for (boolean causal : new boolean[] {false, true}) {
        try (var scope = Scope.open()) {
          var none = Sample.of(kind.spec(causal), dtype, 0);
          for (var form : Form.values()) {
            if (form == (causal ? Form.LINEAR : Form.CHUNKED)) continue;
            assertThat(none.apply(form, null).shape()).isEqualTo(none.v().shape());
          }
          var one = Sample.of(kind.spec(causal), dtype, 1);
          if (kind.spec(causal).normalizer() == Normalizer.SUM && kind.spec(causal).rotation() != Rotation.AFTER) {
            for (var form : forms(causal)) Sample.assertClose(dtype + " " + form, one.apply(form, null), one.v(), rounding(dtype));
          }
        }
      }
    }
  }

  @Test
  void keysOfEnormousRangeLeaveNoRowWithoutWeight() {
    for (boolean causal : new boolean[] {false, true}) {
      try (var scope = Scope.open()) {
        var sample = Sample.of(HlaCase.EXP_2.spec(causal), Dtype.F32, 50);
        var growing = Memory.tensor(LongStream.range(0, 50).mapToDouble(i -> i * 4).toArray(), 50, 1).to(Dtype.F32.scalarType());
        var k = sample.k().detach().mul(growing).set_requires_grad(true);
        for (var form : forms(causal)) {
          var out = sample.hla().apply(form, sample.q().mul(new Scalar(30)), k, torch.ones_like(sample.v()), null);
          Sample.assertClose(form.name(), out, torch.ones_like(out), 1e-5);
          out.mul(out).sum().backward();
          assertThat(k.grad().isfinite().all().item_bool()).isTrue();
        }
      }
    }
  }

  @Test
  void inputsMayBeViewsAsTheProjectionLeavesThem() {
    try (var scope = Scope.withoutGradients()) {
      var sample = Sample.of(HlaCase.SOFTPLUS_2.spec(true), Dtype.F32, 33);
      var strided = sample.q().transpose(1, 2).contiguous().transpose(1, 2);
      Tensor out = sample.hla().chunked(strided, sample.k(), sample.v(), null, 8);
      assertThat(torch.equal(out, sample.hla().chunked(sample.q(), sample.k(), sample.v(), null, 8))).isTrue();
    }
  }
}
