package dev.walsh.kernels.hla;

import dev.walsh.tensor.CudaGraph;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** The kernels of the GPU against all pairs in float64, of the same features: outputs, all gradients, odd lengths and ranks. */
final class CudaFormsTest {
  private static final double OUTPUT = 5e-3;
  // Gradients are small differences of large sums of what was rounded.
  private static final double GRADIENT = 2e-2;
  private static final long GROUPS = 3;
  // As many as fill a GPU, each with all its chunks.
  private static final long MANY_GROUPS = 300;

  @BeforeAll
  static void needsGpu() {
    assumeTrue(Device.hasCuda(), "there is no GPU here");
  }

  /** Positive features of one or two sides; where factors are tied, one tensor for all. */
  private record Problem(int factors, List<Tensor> leaves, Tensor upstream, int queries, int keys) {
    static Problem of(List<Integer> ranks, boolean isTied, long n, long width) {
      return of(GROUPS, ranks, isTied, n, width);
    }

    static Problem of(long groups, List<Integer> ranks, boolean isTied, long n, long width) {
      torch.manual_seed(n);
      var leaves = new ArrayList<Tensor>();
      int sides = isTied ? 1 : ranks.size();
      for (int i = 0; i < 2 * sides; i++) leaves.add(leaf(torch.softplus(torch.randn(groups, ranks.get(i % sides), n))));
      leaves.add(leaf(torch.randn(groups, n, width)));
      return new Problem(ranks.size(), leaves, leaf(torch.randn(groups, n, width)).detach(), sides, sides);
    }

    private static Tensor leaf(Tensor x) {
      return x.to(Device.CUDA.options(Dtype.BF16), false, false, null).set_requires_grad(true);
    }

    Operands operands() {
      return new Operands(leaves.subList(0, queries), leaves.subList(queries, queries + keys), leaves.getLast(), true);
    }

    /** Some of the tokens. */
    Operands part(long from, long tokens) {
      var x = operands();
      return new Operands(x.queries().stream().map(t -> t.narrow(2, from, tokens)).toList(),
          x.keys().stream().map(t -> t.narrow(2, from, tokens)).toList(), leaves.getLast().narrow(1, from, tokens), true);
    }

    Problem wide() {
      var wide = leaves.stream().map(t -> t.detach().to(Dtype.F64.scalarType()).set_requires_grad(true)).toList();
      return new Problem(factors, wide, upstream.to(Dtype.F64.scalarType()), queries, keys);
    }

    List<Tensor> outputAndGradients(Tensor out) {
      var all = new ArrayList<>(List.of(out.detach()));
      all.addAll(List.of(torch.grad(new TensorVector(out), new TensorVector(leaves.toArray(Tensor[]::new)), new TensorVector(upstream),
          new BoolOptional(), false, false).get()));
      return all;
    }

    /** By libtorch's operators. */
    List<Tensor> plain(boolean causal, @Nullable Tensor decay, long chunk) {
      var x = operands();
      var weights = torch.ones(new long[] {1}, x.keys().getFirst().options());
      for (int i = 0; i < factors; i++) {
        weights = weights.mul(x.queries().get(Math.min(i, queries - 1)).transpose(1, 2).bmm(x.keys().get(Math.min(i, keys - 1))));
      }
      if (decay != null) {
        var passed = decay.to(Dtype.F64.scalarType()).log().cumsum(1).repeat_interleave(chunk, new LongOptional(1),
            new LongOptional()).narrow(1, 0, x.length());
        weights = weights.mul(passed.unsqueeze(2).sub(passed.unsqueeze(1)).clamp_max(new Scalar(0)).exp());
      }
      if (causal) weights = weights.tril();
      return outputAndGradients(weights.bmm(Objects.requireNonNull(x.values())).div(weights.sum(2).unsqueeze(2)));
    }
  }

  @ParameterizedTest
  @CsvSource(delimiter = ';', value = {"64; 128; 1003; 256", "153; 64; 400; 128", "5; 64; 300; 64", "32,32; 128; 1000; 128",
      "64,64; 64; 700; 512",
      "5,4; 16; 300; 64", "48,5; 96; 517; 128", "8,8,8; 64; 500; 128", "16,16; 128; 1; 64", "16,16; 128; 63; 64"})
  void everyFormIsTheDefinition(String ranks, long width, long n, long chunk) {
    var r = ranks(ranks);
    for (boolean causal : new boolean[] {false, true}) {
      try (var scope = Scope.open()) {
        var problem = Problem.of(r, false, n, width);
        var exact = problem.wide().plain(causal, null, 0);
        var forms = new ArrayList<>(List.of(new CudaForms(r.size(), causal, false, 0)));
        forms.add(new CudaForms(r.size(), causal, true, causal ? chunk : 0));
        for (var form : forms) check(form, problem, null, exact);
      }
    }
  }

  @Test
  void tiedFactorsHaveTheGradientsOfBoth() {
    try (var scope = Scope.open()) {
      var problem = Problem.of(List.of(16, 16), true, 300, 64);
      check(new CudaForms(2, true, true, 64), problem, null, problem.wide().plain(true, null, 0));
      var cubic = Problem.of(List.of(8, 8, 8), true, 300, 64);
      check(new CudaForms(3, false, true, 0), cubic, null, cubic.wide().plain(false, null, 0));
    }
  }

  @ParameterizedTest
  @CsvSource({GROUPS + ",700,128", MANY_GROUPS + ",200,64"})
  void statesDecayWhereChunksBegin(long groups, long n, long chunk) {
    try (var scope = Scope.open()) {
      var problem = Problem.of(groups, List.of(16, 16), false, n, 64);
      var decay = torch.rand(new long[] {groups, Math.ceilDiv(n, chunk)}, Device.CUDA.options(Dtype.F32)).mul(new Scalar(0.5))
          .add(new Scalar(0.5));
      check(new CudaForms(2, true, true, chunk), problem, decay, problem.wide().plain(true, decay, chunk));
    }
  }

  @ParameterizedTest
  @CsvSource(delimiter = ';', value = {"16,16; 64", "8,8; 64", "64; 128", "5,4; 16", "8,6,4; 64"})
  void sequencesGoOnWhereOthersEnded(String ranks, long width) {
    goOn(GROUPS, ranks(ranks), width, 5, 300, 128, 267);
  }

  @ParameterizedTest
  @CsvSource(delimiter = ';', value = {"16,16; 64", "5,4; 16"})
  void manySequencesGoOnWhereOthersEnded(String ranks, long width) {
    goOn(MANY_GROUPS, ranks(ranks), width, 5, 150, 45);
  }

  private static void goOn(long groups, List<Integer> r, long width, long... lengths) {
    try (var scope = Scope.open()) {
      var problem = Problem.of(groups, r, false, Arrays.stream(lengths).sum(), width);
      var exact = problem.wide().plain(true, null, 0).getFirst();
      try (var inner = Scope.withoutGradients()) {
        var state = torch.zeros(new long[] {groups, r.stream().reduce(1, (a, b) -> a * b), width + 1}, Device.CUDA.options(Dtype.F32));
        var outs = new TensorVector();
        long from = 0;
        for (long tokens : lengths) {
          var x = problem.part(from, tokens);
          outs.push_back(
              Objects.requireNonNull(new CudaForms(r.size(), true, true, 128).proceed(x, null, state), "the GPU runs the kernels"));
          from += tokens;
        }
        var error = torch.cat(outs, 1).to(Dtype.F64.scalarType()).sub(exact).norm().item_double() / exact.norm().item_double();
        assertThat(error).isLessThan(OUTPUT);
      }
    }
  }

  @Test
  void queriesWithoutKeysGetZerosAndSoDoTheirGradients() {
    try (var scope = Scope.open()) {
      var problem = Problem.of(List.of(16, 16), false, 200, 64);
      try (var inner = Scope.withoutGradients()) {
        for (var t : problem.leaves.subList(2, 4)) t.narrow(2, 0, 70).zero_();
      }
      for (long chunk : new long[] {64, 256}) {
        var found = problem.outputAndGradients(apply(new CudaForms(2, true, true, chunk), problem, null));
        assertThat(found.getFirst().narrow(1, 0, 70).abs().max().item_double()).isZero();
        assertThat(found.get(1).narrow(2, 0, 70).abs().max().item_double()).isZero();
        for (var t : found) assertThat(t.isfinite().all().item_bool()).isTrue();
      }
    }
  }

  @Test
  void valuesMayLieInPackedRows() {
    try (var scope = Scope.open()) {
      long n = 328;
      for (long chunk : new long[] {64, 512}) {
        var problem = Problem.of(List.of(16, 16), false, n, 32);
        var packed = problem.leaves.getLast().detach().unsqueeze(0).transpose(1, 2).unsqueeze(2).repeat(1, 1, 3, 1, 1)
            .set_requires_grad(true);
        var values = packed.select(2, 2).transpose(1, 2);
        var x = problem.operands();
        var form = new CudaForms(2, true, true, chunk);
        var out = Objects.requireNonNull(form.apply(new Operands(x.queries(), x.keys(), values, true), null), "the GPU runs the kernels");
        var gradient = torch.grad(new TensorVector(out.squeeze(0)), new TensorVector(packed), new TensorVector(problem.upstream),
            new BoolOptional(), false, false).get(0);
        var expected = problem.outputAndGradients(apply(form, problem, null));
        assertThat(out.squeeze(0).equal(expected.getFirst())).isTrue();
        assertThat(gradient.select(2, 2).transpose(1, 2).squeeze(0).equal(expected.getLast())).isTrue();
      }
    }
  }

  /** Sums are made in one order, so that a run repeats to the last bit. */
  @Test
  void theSameComesOutEachTimeAndFromAGraph() {
    try (var scope = Scope.open()) {
      var problem = Problem.of(List.of(32, 32), false, 2000, 128);
      for (var form : List.of(new CudaForms(2, true, true, 512), new CudaForms(2, false, true, 0))) {
        var kept = problem.leaves.stream().map(t -> torch.empty_like(t.detach())).collect(Collectors.toCollection(ArrayList::new));
        kept.addFirst(torch.empty_like(problem.upstream));
        Runnable work = () -> {
          try (var inner = Scope.open()) {
            var made = problem.outputAndGradients(apply(form, problem, null));
            for (int i = 0; i < kept.size(); i++) kept.get(i).copy_(made.get(i).data());
          }
        };
        CudaGraph.warmUp(work);
        var first = kept.stream().map(t -> t.clone()).toList();
        try (var graph = CudaGraph.capture(work)) {
          kept.forEach(t -> t.fill_(new Scalar(Double.NaN)));
          graph.replay();
          Device.CUDA.synchronize();
        }
        for (int i = 0; i < kept.size(); i++) assertThat(kept.get(i).equal(first.get(i))).as("tensor %s", i).isTrue();
      }
    }
  }

  /** Half a tensor of N×R elements in bf16 is more than all the memory that a pass needs. */
  @Test
  void noTensorHoldsTheProductsOfAllTokens() {
    long n = 1 << 16;
    try (var scope = Scope.open()) {
      var problem = Problem.of(List.of(64, 64), false, n, 64);
      var form = new CudaForms(2, false, true, 0);
      problem.outputAndGradients(apply(form, problem, null));
      Device.CUDA.freeUnused();
      long before = Device.CUDA.bytesInUse();
      problem.outputAndGradients(apply(form, problem, null));
      Device.CUDA.synchronize();
      assertThat(Device.CUDA.bytesInUse() - before).isLessThan(GROUPS * n * 64 * 64);
    }
  }

  private static List<Integer> ranks(String list) {
    var ranks = new ArrayList<Integer>();
    for (var rank : list.split(",")) ranks.add(Integer.parseInt(rank));
    return ranks;
  }

  private static Tensor apply(CudaForms form, Problem problem, @Nullable Tensor decay) {
    return Objects.requireNonNull(form.apply(problem.operands(), decay), "the GPU runs the kernels");
  }

  private static void check(CudaForms form, Problem problem, @Nullable Tensor decay, List<Tensor> exact) {
    var found = problem.outputAndGradients(apply(form, problem, decay));
    for (int i = 0; i < exact.size(); i++) {
      // A lone token's weight is all the weight there is, whatever its features, whose gradients are what rounding leaves of zero.
      double least = Math.max(1e-3, 0.1 / problem.upstream.size(1));
      double scale = Math.max(exact.get(i).norm().item_double(), least * Math.sqrt(exact.get(i).numel()));
      double error = found.get(i).to(Dtype.F64.scalarType()).sub(exact.get(i)).norm().item_double() / scale;
      assertThat(error).as("%s, tensor %s of %s", form, i, exact.size()).isLessThan(i == 0 ? OUTPUT : GRADIENT);
    }
  }
}
