package dev.walsh.kernels.hla;

import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Scope;
import dev.walsh.tensor.Weights;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Products of features made for a tile of the state's rows at a time, so that the tile stays in cache between its making and its use. */
final class FeatureExpansion implements Expansion {
  // 1 MiB in float32: more takes the tile out of the second-level cache, less makes its matrix products thin.
  private static final long TILE_ELEMENTS = 1 << 18;
  // Where a row of all groups is shorter, an operator's call costs more than its work: gather instead of one call a run.
  private static final long SHORT_ROW = 1 << 11;

  private final Monomials monomials;
  private final Side side;
  // Of each factor, which feature a product takes, (R).
  private final List<Tensor> indices = new ArrayList<>();

  FeatureExpansion(Monomials monomials, Side side, Weights.Path path) {
    this.monomials = monomials;
    this.side = side;
    for (int factor = 0; factor < monomials.factors(); factor++) {
      indices.add(path.fixed(Dtype.I64, monomials.features(factor), monomials.size()));
    }
  }

  /** Consecutive runs, and so rows of the state. */
  private record Tile(List<Monomials.Run> runs, int offset, int length) {}

  private List<Tile> tiles(Tensor x) {
    long row = Math.max(1, x.size(0) * x.size(2));
    var tiles = new ArrayList<Tile>();
    var runs = new ArrayList<Monomials.Run>();
    int length = 0;
    for (var run : monomials.runs()) {
      if (!runs.isEmpty() && (length + run.length()) * row > TILE_ELEMENTS) {
        tiles.add(new Tile(List.copyOf(runs), runs.getFirst().offset(), length));
        runs.clear();
        length = 0;
      }
      runs.add(run);
      length += run.length();
    }
    tiles.add(new Tile(List.copyOf(runs), runs.getFirst().offset(), length));
    return tiles;
  }

  @Override
  public void accumulate(List<Tensor> x, Tensor columns, Tensor sums) {
    for (var tile : tiles(x.getFirst())) {
      try (var scope = Scope.open()) {
        sums.narrow(1, tile.offset, tile.length).baddbmm_(expand(x, tile), columns);
      }
    }
  }

  @Override
  public void read(List<Tensor> x, Tensor sums, Tensor out) {
    for (var tile : tiles(x.getFirst())) {
      try (var scope = Scope.open()) {
        out.baddbmm_(expand(x, tile).transpose(1, 2), sums.narrow(1, tile.offset, tile.length));
      }
    }
  }

  /** A tile of Φ(x), (G,length,C). */
  private Tensor expand(List<Tensor> x, Tile tile) {
    if (monomials.factors() == 1) return x.getFirst();
    var first = x.getFirst();
    Tensor tileOfAll;
    if (first.size(0) * first.size(2) < SHORT_ROW) {
      tileOfAll = gathered(x, tile);
    } else {
      tileOfAll = torch.empty(new long[] {first.size(0), tile.length, first.size(2)}, first.options(), null);
      for (var run : tile.runs) multiply(x, run, tileOfAll.narrow(1, run.offset() - tile.offset, run.length()));
    }
    return side.weights() == null ? tileOfAll : tileOfAll.mul_(side.weights().narrow(0, tile.offset, tile.length));
  }

  private Tensor gathered(List<Tensor> x, Tile tile) {
    var sum = gathered(x, side.orders()[0], tile);
    for (int i = 1; i < side.orders().length; i++) sum.add_(gathered(x, side.orders()[i], tile));
    return sum;
  }

  private Tensor gathered(List<Tensor> x, int[] order, Tile tile) {
    var product = feature(x, order, 0, tile);
    for (int i = 1; i < order.length; i++) product.mul_(feature(x, order, i, tile));
    return product;
  }

  private Tensor feature(List<Tensor> x, int[] order, int factor, Tile tile) {
    return x.get(order[factor]).index_select(1, indices.get(factor).narrow(0, tile.offset, tile.length));
  }

  private void multiply(List<Tensor> x, Monomials.Run run, Tensor out) {
    try (var scope = Scope.open()) {
      for (int i = 0; i < side.orders().length; i++) {
        var order = side.orders()[i];
        var lead = x.get(order[0]).narrow(1, run.from(), run.length());
        if (i == 0) {
          torch.mul_out(out, lead, Products.trailing(x, order, run));
        } else {
          out.addcmul_(lead, Products.trailing(x, order, run));
        }
      }
    }
  }

  @Override
  public void pull(List<Tensor> x, Tensor sums, Tensor columns, List<Tensor> dx) {
    var across = columns.transpose(1, 2);
    if (monomials.factors() == 1) {
      dx.getFirst().baddbmm_(sums, across);
      return;
    }
    for (var tile : tiles(x.getFirst())) {
      try (var scope = Scope.open()) {
        var gradient = sums.narrow(1, tile.offset, tile.length).bmm(across);
        if (side.weights() != null) gradient.mul_(side.weights().narrow(0, tile.offset, tile.length));
        for (var run : tile.runs) pull(x, run, gradient.narrow(1, run.offset() - tile.offset, run.length()), dx);
      }
    }
  }

  private void pull(List<Tensor> x, Monomials.Run run, Tensor gradient, List<Tensor> dx) {
    try (var scope = Scope.open()) {
      for (var order : side.orders()) {
        dx.get(order[0]).narrow(1, run.from(), run.length()).addcmul_(gradient, Products.trailing(x, order, run));
        var ofTrailing = gradient.mul(x.get(order[0]).narrow(1, run.from(), run.length())).sum(1).unsqueeze(1);
        Products.pullTrailing(x, order, run, ofTrailing, dx);
      }
    }
  }
}
