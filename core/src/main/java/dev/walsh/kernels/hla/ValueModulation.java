package dev.walsh.kernels.hla;

import dev.walsh.tensor.Scope;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * The same products without any of features: a linear attention of the first factor for each combination of the others' features, which
 * multiply the columns (the values going in, what is read coming out). Needs two factors at least.
 */
final class ValueModulation implements Expansion {
  private final Monomials monomials;
  private final Side side;

  ValueModulation(Monomials monomials, Side side) {
    this.monomials = monomials;
    this.side = side;
  }

  @Override
  public void accumulate(List<Tensor> x, Tensor columns, Tensor sums) {
    forEach(x, (run, order, lead, modulator) -> {
      var rows = sums.narrow(1, run.offset(), run.length());
      rows.add_(weighed(run, lead.bmm(columns.mul(modulator))));
    });
  }

  @Override
  public void read(List<Tensor> x, Tensor sums, Tensor out) {
    forEach(x, (run, order, lead, modulator) -> out.addcmul_(lead.transpose(1, 2).bmm(weighedRows(run, sums)), modulator));
  }

  @Override
  public void pull(List<Tensor> x, Tensor sums, Tensor columns, List<Tensor> dx) {
    forEach(x, (run, order, lead, modulator) -> {
      var rows = weighedRows(run, sums);
      dx.get(order[0]).narrow(1, run.from(), run.length()).baddbmm_(rows, columns.mul(modulator).transpose(1, 2));
      var ofModulator = lead.transpose(1, 2).bmm(rows).mul_(columns).sum(2).unsqueeze(1);
      Products.pullTrailing(x, order, run, ofModulator, dx);
    });
  }

  /** What is done with one summand of a run: its first factor's features (G,length,C), and the others' product, a column (G,C,1). */
  @FunctionalInterface
  private interface Term {
    void apply(Monomials.Run run, int[] order, Tensor lead, Tensor modulator);
  }

  private void forEach(List<Tensor> x, Term term) {
    for (var run : monomials.runs()) {
      for (var order : side.orders()) {
        try (var scope = Scope.open()) {
          var lead = x.get(order[0]).narrow(1, run.from(), run.length());
          term.apply(run, order, lead, Products.trailing(x, order, run).transpose(1, 2));
        }
      }
    }
  }

  private Tensor weighedRows(Monomials.Run run, Tensor sums) {
    return weighed(run, sums.narrow(1, run.offset(), run.length()));
  }

  private Tensor weighed(Monomials.Run run, Tensor rows) {
    return side.weights() == null ? rows : rows.mul(side.weights().narrow(0, run.offset(), run.length()));
  }
}
