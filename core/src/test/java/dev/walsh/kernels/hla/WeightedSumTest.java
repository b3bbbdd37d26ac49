package dev.walsh.kernels.hla;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import static org.assertj.core.api.Assertions.assertThat;

/** The sums below an attention, of features given as they are: how they round, what they leave in the state, what derivatives they have. */
final class WeightedSumTest {
  private static final int[] RANKS = {5, 4, 3};
  private static final long GROUPS = 3;
  private static final long LENGTH = 45;
  private static final long CHUNK = 16;
  private static final long WIDTH = 7;

  /** How factors are tied, and which side of the products takes the factors after the first. */
  enum Kind {
    ONE(1, false, false), TWO(2, false, false), THREE(3, false, false), TIED_2(2, true, true), TIED_3(3, true, true),
    QUERIES_TIED_2(2, true, false), KEYS_TIED_3(3, false, true);

    final int factors;
    final boolean tieQueries;
    final boolean tieKeys;

    Kind(int factors, boolean tieQueries, boolean tieKeys) {
      this.factors = factors;
      this.tieQueries = tieQueries;
      this.tieKeys = tieKeys;
    }

    boolean isPacked() {
      return tieQueries || tieKeys;
    }

    int[] ranks() {
      var ranks = new int[factors];
      for (int i = 0; i < factors; i++) ranks[i] = isPacked() ? 4 : RANKS[i];
      return ranks;
    }
  }

  /** The forms for one kind. */
  private record Forms(Quadratic all, Quadratic causal, Linear linear, Chunked chunked, int entries) {
    static Forms of(Kind kind, Modulation modulation, Dtype dtype) {
      var path = new Weights(Device.CPU, dtype, 0).at("sums");
      var monomials = new Monomials(kind.ranks(), kind.isPacked());
      var maps = new ArrayList<FeatureMap>();
      for (int rank : kind.ranks()) maps.add(new FeatureMap.Softplus(rank));
      var spec = new HlaSpec(1, 8, maps, kind.tieQueries, kind.tieKeys, true, Normalizer.SUM, Rotation.NONE, modulation);
      var queries = expansion(monomials, Side.queries(spec, monomials, path), modulation, path);
      var keys = expansion(monomials, Side.keys(spec, monomials, path), modulation, path);
      var similarities = new Similarities(kind.factors, kind.factors > 1 && kind.tieQueries && kind.tieKeys);
      return new Forms(new Quadratic(similarities, false), new Quadratic(similarities, true),
          new Linear(queries, keys, monomials.size(), CHUNK), new Chunked(queries, keys, similarities, monomials.size(), CHUNK),
          monomials.size());
    }

    private static Expansion expansion(Monomials monomials, Side side, Modulation modulation, Weights.Path path) {
      boolean onValues = modulation == Modulation.VALUES && monomials.factors() > 1;
      return onValues ? new ValueModulation(monomials, side) : new FeatureExpansion(monomials, side, path);
    }
  }

  private static Operands operands(Kind kind, Dtype dtype) {
    return new Operands(features(kind, kind.tieQueries, dtype), features(kind, kind.tieKeys, dtype),
        leaf(torch.randn(GROUPS, LENGTH, WIDTH), dtype), true);
  }

  private static List<Tensor> features(Kind kind, boolean tied, Dtype dtype) {
    var features = new ArrayList<Tensor>();
    for (int rank : tied ? new int[] {kind.ranks()[0]} : kind.ranks()) features.add(leaf(torch.rand(GROUPS, rank, LENGTH), dtype));
    return features;
  }

  private static Tensor leaf(Tensor t, Dtype dtype) {
    return t.to(dtype.scalarType()).set_requires_grad(true);
  }

  private static Operands wide(Operands x) {
    var values = Objects.requireNonNull(x.values());
    return new Operands(x.queries().stream().map(WeightedSumTest::wide).toList(), x.keys().stream().map(WeightedSumTest::wide).toList(),
        wide(values), true);
  }

  private static Tensor wide(Tensor t) {
    return leaf(t.detach(), Dtype.F64);
  }

  private static List<Tensor> gradients(List<Tensor> outputs, List<Tensor> upstream, List<Tensor> inputs) {
    return List.of(torch.grad(vector(outputs), vector(inputs), vector(upstream), new BoolOptional(), false, false).get());
  }

  private static TensorVector vector(List<Tensor> tensors) {
    return new TensorVector(tensors.toArray(Tensor[]::new));
  }

  @BeforeEach
  void seed() {
    torch.manual_seed(5);
  }

  @ParameterizedTest
  @EnumSource
  void sumsOfNarrowFeaturesAreThoseOfFloat32(Kind kind) {
    for (var modulation : Modulation.values()) {
      try (var scope = Scope.open()) {
        var forms = Forms.of(kind, modulation, Dtype.BF16);
        var exactForms = Forms.of(kind, modulation, Dtype.F64);
        var narrow = operands(kind, Dtype.BF16);
        var exact = wide(narrow);
        var upstream = torch.randn(GROUPS, LENGTH, WIDTH + 1);
        var exactUpstream = upstream.to(Dtype.F64.scalarType());
        var all = exactForms.all.apply(exact);
        var causal = exactForms.causal.apply(exact);
        var ofAll = gradients(List.of(all), List.of(exactUpstream), exact.inputs());
        var ofCausal = gradients(List.of(causal), List.of(exactUpstream), exact.inputs());
        for (var out : List.of(forms.all.apply(narrow), forms.linear.apply(narrow))) {
          Sample.assertClose("bidirectional", out, all, 1e-6);
          // Rounded to bf16 once.
          Sample.assertClose("gradient", gradients(List.of(out), List.of(upstream), narrow.inputs()), ofAll, 4e-3);
        }
        for (var out : List.of(forms.causal.apply(narrow), forms.chunked.apply(narrow, null))) {
          Sample.assertClose("causal", out, causal, 1e-6);
          Sample.assertClose("gradient", gradients(List.of(out), List.of(upstream), narrow.inputs()), ofCausal, 4e-3);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void everyScanLeavesTheSameState(Kind kind) {
    try (var scope = Scope.withoutGradients()) {
      var forms = Forms.of(kind, Modulation.FEATURES, Dtype.F64);
      var modulated = Forms.of(kind, Modulation.VALUES, Dtype.F64);
      var x = operands(kind, Dtype.F64);
      var whole = forms.linear.state(x);
      Sample.assertClose("chunked", forms.chunked.proceed(x, null, zeros(forms)).state(), whole, 1e-13);
      Sample.assertClose("modulated", modulated.chunked.proceed(x, null, zeros(forms)).state(), whole, 1e-13);
      var state = zeros(forms);
      for (long t = 0; t < LENGTH; t++) state = forms.chunked.proceed(part(x, t, 1), null, state).state();
      Sample.assertClose("recurrent", state, whole, 1e-13);
    }
  }

  private static Tensor zeros(Forms forms) {
    return torch.zeros(GROUPS, forms.entries, WIDTH + 1).to(Dtype.F64.scalarType());
  }

  private static Operands part(Operands x, long from, long tokens) {
    var values = Objects.requireNonNull(x.values());
    return new Operands(x.queries(from, tokens), x.keys(from, tokens), values.narrow(1, from, tokens), true);
  }

  @ParameterizedTest
  @EnumSource
  void derivativesAreThoseOfFiniteDifferences(Kind kind) {
    for (var modulation : Modulation.values()) {
      try (var scope = Scope.open()) {
        var forms = Forms.of(kind, modulation, Dtype.F64);
        var x = operands(kind, Dtype.F64);
        var decay = torch.rand(GROUPS, Math.ceilDiv(LENGTH, CHUNK)).to(Dtype.F64.scalarType());
        var before = leaf(torch.randn(GROUPS, forms.entries, WIDTH + 1), Dtype.F64);
        var inputs = x.inputs();
        inputs.add(before);
        var after = forms.chunked.proceed(x, decay, before);
        var upstream = List.of(torch.randn_like(after.out()), torch.randn_like(after.state()));
        var gradients = gradients(List.of(after.out(), after.state()), upstream, inputs);
        for (int i = 0; i < inputs.size(); i++) {
          var direction = torch.randn_like(inputs.get(i));
          double slope = (along(forms, x, decay, before, upstream, i, direction, 1e-5)
              - along(forms, x, decay, before, upstream, i, direction, -1e-5)) / 2e-5;
          assertThat(gradients.get(i).mul(direction).sum().item_double()).as("%s, input %s", modulation, i)
              .isCloseTo(slope, org.assertj.core.data.Percentage.withPercentage(1e-4));
        }
      }
    }
  }

  /** The scan's value, weighed by {@code upstream}, with one input moved. */
  private static double along(Forms forms, Operands x, Tensor decay, Tensor before, List<Tensor> upstream, int input, Tensor direction,
      double step) {
    try (var scope = Scope.withoutGradients()) {
      var inputs = new ArrayList<Tensor>();
      x.inputs().forEach(t -> inputs.add(t.clone()));
      inputs.add(before.clone());
      inputs.get(input).add_(direction, new Scalar(step));
      int queries = x.queries().size();
      int keys = x.keys().size();
      var moved = new Operands(inputs.subList(0, queries), inputs.subList(queries, queries + keys), inputs.get(queries + keys), true);
      var result = forms.chunked.proceed(moved, decay, inputs.getLast());
      return result.out().mul(upstream.getFirst()).sum().item_double() + result.state().mul(upstream.getLast()).sum().item_double();
    }
  }

  @ParameterizedTest
  @EnumSource
  void anUnusedOutputOrStateHasNoGradient(Kind kind) {
    try (var scope = Scope.open()) {
      var forms = Forms.of(kind, Modulation.FEATURES, Dtype.F64);
      var x = operands(kind, Dtype.F64);
      var inputs = x.inputs();
      var before = leaf(torch.randn(GROUPS, forms.entries, WIDTH + 1), Dtype.F64);
      inputs.add(before);
      var ofOut = torch.randn(GROUPS, LENGTH, WIDTH + 1).to(Dtype.F64.scalarType());
      var ofState = torch.randn_like(before);
      var both = both(forms, x, before, inputs, List.of(ofOut, ofState));
      var outAlone = both(forms, x, before, inputs, List.of(ofOut));
      var after = forms.chunked.proceed(x, null, before);
      // With respect to all but the queries, which the state does not depend on.
      var stateAlone = gradients(List.of(after.state()), List.of(ofState), inputs);
      for (int i = 0; i < inputs.size(); i++) {
        Sample.assertClose("input " + i, outAlone.get(i).add(stateAlone.get(i)), both.get(i), 1e-12);
      }
    }
  }

  private static List<Tensor> both(Forms forms, Operands x, Tensor before, List<Tensor> inputs, List<Tensor> upstream) {
    var after = forms.chunked.proceed(x, null, before);
    return gradients(upstream.size() == 2 ? List.of(after.out(), after.state()) : List.of(after.out()), upstream, inputs);
  }

  @ParameterizedTest
  @EnumSource
  void theScaleOfAQuerysFeaturesCancels(Kind kind) {
    try (var scope = Scope.withoutGradients()) {
      var forms = Forms.of(kind, Modulation.FEATURES, Dtype.F64);
      var x = operands(kind, Dtype.F64);
      var scales = torch.rand(GROUPS, 1, LENGTH).add(new Scalar(0.01));
      var scaled = new Operands(x.queries().stream().map(q -> q.mul(scales)).toList(), x.keys(), x.values(), true);
      Sample.assertClose("quadratic", divided(forms.all.apply(scaled)), divided(forms.all.apply(x)), 1e-13);
      Sample.assertClose("linear", divided(forms.linear.apply(scaled)), divided(forms.linear.apply(x)), 1e-13);
      Sample.assertClose("chunked", divided(forms.chunked.apply(scaled, null)), divided(forms.chunked.apply(x, null)), 1e-13);
    }
  }

  private static Tensor divided(Tensor sums) {
    return sums.narrow(2, 0, WIDTH).div(sums.narrow(2, WIDTH, 1));
  }

  @ParameterizedTest
  @EnumSource
  void aRowOfZerosSumsToZeros(Kind kind) {
    for (var dtype : List.of(Dtype.F64, Dtype.F32, Dtype.BF16)) {
      try (var scope = Scope.withoutGradients()) {
        var forms = Forms.of(kind, Modulation.FEATURES, dtype);
        var x = operands(kind, dtype);
        x.queries().getFirst().narrow(2, 20, 1).zero_();
        for (var out : List.of(forms.all.apply(x), forms.causal.apply(x), forms.linear.apply(x), forms.chunked.apply(x, null))) {
          assertThat(out.narrow(1, 20, 1).abs().max().item_double()).isZero();
          assertThat(out.narrow(1, 21, 1).abs().max().item_double()).isPositive();
        }
      }
    }
  }
}
