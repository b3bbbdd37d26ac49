package dev.walsh.kernels.hla;

import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The features and values of some tokens as leaves of a graph, attended to by themselves; and the exact outcome for a few of the queries. */
final class FeatureSample {
  private static final long ROWS = 64;

  private final Hla hla;
  private final Operands operands;
  private final Tensor values;

  private FeatureSample(Hla hla, Operands operands, Tensor values) {
    this.hla = hla;
    this.operands = operands;
    this.values = values;
  }

  /** Uniform features between 0 and 1, and normal values. */
  static FeatureSample of(Hla hla, Device device, Dtype dtype, long batch, long length) {
    var spec = hla.spec();
    long groups = batch * spec.heads();
    var options = device.options(dtype);
    var sides = new ArrayList<List<Tensor>>();
    for (boolean isTied : new boolean[] {spec.tieQueries(), spec.tieKeys()}) {
      var side = new ArrayList<Tensor>();
      for (int i = 0; i < (isTied ? 1 : spec.factors().size()); i++) {
        side.add(torch.rand(new long[] {groups, spec.features(i), length}, options).set_requires_grad(true));
      }
      sides.add(side);
    }
    var values = torch.randn(new long[] {groups, length, spec.headWidth()}, options).set_requires_grad(true);
    var operands = new Operands(sides.getFirst(), sides.getLast(), values, true);
    return new FeatureSample(hla, operands, values.detach().view(batch, spec.heads(), length, spec.headWidth()));
  }

  List<Tensor> leaves() {
    return operands.inputs();
  }

  Tensor attend(Form form, long chunk) {
    return hla.attended(form, new Hla.Parts(operands, null, null, List.of()), chunk, values);
  }

  /** The error of some queries' outputs to float64, ‖out − exact‖ / ‖exact‖. */
  double error(Form form, long chunk) {
    try (var scope = Scope.withoutGradients()) {
      var wide = Dtype.F64.scalarType();
      long n = operands.length();
      var v = operands.inputs().getLast();
      // Spread over the sequence, the last token among them.
      var rows = torch.arange(new Scalar(1), new Scalar(ROWS + 1), v.options().dtype(new ScalarTypeOptional(Dtype.I64.scalarType())))
          .mul(new Scalar(n)).sub(new Scalar(1)).floor_divide(new Scalar(ROWS));
      var weights = torch.ones(new long[] {1}, v.options().dtype(new ScalarTypeOptional(wide)));
      for (int i = 0; i < hla.spec().factors().size(); i++) {
        var q = operands.queries().get(Math.min(i, operands.queries().size() - 1)).index_select(2, rows).to(wide);
        var k = operands.keys().get(Math.min(i, operands.keys().size() - 1)).to(wide);
        weights = weights.mul(q.transpose(1, 2).bmm(k));
      }
      if (hla.spec().causal()) {
        var all = torch.arange(new Scalar(n), rows.options());
        weights = weights.masked_fill(all.unsqueeze(0).gt(rows.unsqueeze(1)), new Scalar(0));
      }
      var exact = weights.bmm(v.to(wide)).div(weights.sum(2).unsqueeze(2));
      var out = attend(form, chunk).view(v.shape()).index_select(1, rows).to(wide);
      return out.sub(exact).norm().item_double() / exact.norm().item_double();
    }
  }
}
