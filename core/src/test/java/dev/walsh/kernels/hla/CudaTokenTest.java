package dev.walsh.kernels.hla;

import dev.walsh.kernels.hla.FeatureMap.Exp;
import dev.walsh.kernels.hla.FeatureMap.Relu;
import dev.walsh.kernels.hla.FeatureMap.Softplus;
import dev.walsh.kernels.nn.Rope;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.Collections;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** Tokens by the GPU's one kernel are those of the definition and of the operators that it stands for. */
final class CudaTokenTest {
  private static final double TOLERANCE = 1e-2;
  private static final int HEADS = 3;
  private static final int TOKENS = 12;
  /** Of the first token: beyond what float32 counts turns of exactly. */
  private static final int FIRST = 3_000_000;

  @ParameterizedTest
  @CsvSource({"false,2,16,64,BEFORE,2", "false,2,16,64,BEFORE,60", "false,2,32,64,BEFORE,2", "false,1,64,128,NONE,3",
      "false,3,8,16,BEFORE,4",
      "true,2,16,64,BEFORE,2", "true,2,16,64,BEFORE,60", "true,1,24,48,NONE,3", "true,2,32,128,BEFORE,5"})
  void areThoseOfTheDefinition(boolean exp, int factors, int rank, int width, Rotation rotation, int sequences) {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
    var spec = HlaSpec.of(HEADS, width, true, Collections.nCopies(factors, exp ? new Exp(rank) : new Softplus(rank))).with(rotation);
    var weights = new Weights(Device.CUDA, Dtype.BF16, 5);
    try (var scope = Scope.withoutGradients()) {
      torch.manual_seed(7);
      var hla = new Hla(spec, weights.at("hla"));
      var rope = new Rope(1, width, 1e4, weights.at("rope"));
      assertThat(hla.hasSteps(sequences)).as("the GPU runs the kernel").isTrue();
      var whole = Device.CUDA.options(Dtype.I64);
      var packed = torch.randn(new long[] {TOKENS, sequences, 3L * HEADS * width}, Device.CUDA.options(Dtype.BF16));
      // The last row has no sequence, and may be anything.
      packed.select(1, sequences - 1).fill_(new Scalar(Double.NaN));
      long present = sequences - 1;
      var active = torch.ones(new long[] {sequences}, whole);
      active.select(0, present).zero_();
      var ours = new TensorVector();
      var byOperators = new TensorVector();
      var exact = new TensorVector();
      try (var state = hla.start(sequences); var other = hla.start(present)) {
        for (int t = 0; t < TOKENS; t++) {
          var positions = torch.full(new long[] {sequences}, new Scalar(FIRST + t), whole);
          var rows = packed.select(0, t);
          ours.push_back(hla.steps(rows, rope, positions, active, state));
          var some = rows.narrow(0, 0, present);
          var heads = heads(rope, some, positions.narrow(0, 0, present), rotation);
          byOperators.push_back(hla.proceed(heads.query(), heads.key(), heads.value(), null, other).view(present, -1));
          var wide = heads(rope, some.to(Dtype.F64.scalarType()), positions.narrow(0, 0, present), rotation);
          exact.push_back(torch.stack(new TensorVector(wide.query(), wide.key(), wide.value()), 0));
        }
        assertThat(state.part(present, 1, 0).sums().getFirst().abs().max().item_double()).as("an absent row's state").isZero();
        assertClose("sums", state.part(0, present, 0).sums().getFirst(), other.sums().getFirst());
      }
      var found = torch.stack(ours, 0);
      assertThat(found.select(1, present).abs().max().item_double()).as("an absent row's output").isZero();
      assertClose("operators", found.narrow(1, 0, present), torch.stack(byOperators, 0));
      // (3,N,H,TOKENS,D)
      var all = torch.cat(exact, 3);
      var expected = hla.reference(all.select(0, 0), all.select(0, 1), all.select(0, 2), null);
      assertClose("definition", found.narrow(1, 0, present), expected.permute(2, 0, 1, 3).reshape(TOKENS, present, -1));
    } finally {
      weights.close();
    }
  }

  /** packed: (N,3C) -> (N,H,1,D) each. */
  private static Rope.Heads heads(Rope rope, Tensor packed, Tensor positions, Rotation rotation) {
    var one = packed.unsqueeze(0);
    var heads = rotation == Rotation.BEFORE ? rope.plain(one, rope.angles(positions)) : Rope.split(one, rope.frequencies().size(0) * 2);
    return new Rope.Heads(heads.query().transpose(0, 2), heads.key().transpose(0, 2), heads.value().transpose(0, 2));
  }

  private static void assertClose(String what, Tensor actual, Tensor expected) {
    var wide = expected.to(Dtype.F64.scalarType());
    double error = actual.to(wide.options(), false, false, null).sub(wide).norm().item_double() / wide.norm().item_double();
    assertThat(error).as(what).isLessThan(TOLERANCE);
  }

  @Test
  void othersAreLeftToOperators() {
    var softplus = HlaSpec.of(HEADS, 64, true, Collections.nCopies(2, new Softplus(16)));
    assertThat(CudaToken.of(softplus, List.of())).isNotNull();
    assertThat(CudaToken.of(softplus.with(Rotation.NONE), List.of())).isNotNull();
    assertThat(CudaToken.of(softplus.with(Rotation.AFTER), List.of())).isNull();
    assertThat(CudaToken.of(softplus.with(Normalizer.RMS), List.of())).isNull();
    assertThat(CudaToken.of(softplus.tied(true, true), List.of())).isNull();
    assertThat(CudaToken.of(HlaSpec.of(HEADS, 64, true, List.of(new Softplus(16), new Softplus(8))), List.of())).isNull();
    assertThat(CudaToken.of(HlaSpec.of(HEADS, 64, true, List.of(new Relu(16, 1e-3))), List.of())).isNull();
    assertThat(CudaToken.of(HlaSpec.of(HEADS, 72, true, List.of(new Exp(16))), List.of())).isNull();
    assertThat(CudaToken.of(HlaSpec.of(HEADS, 64, true, List.of(new Exp(12))), List.of())).isNull();
  }

  @Test
  void thereIsNoneOnTheCpu() {
    var weights = new Weights(Device.CPU, Dtype.BF16, 5);
    try {
      var hla = new Hla(HlaSpec.of(HEADS, 64, true, List.of(new Softplus(16))), weights.at("hla"));
      assertThat(hla.hasSteps(1)).isFalse();
    } finally {
      weights.close();
    }
  }
}
