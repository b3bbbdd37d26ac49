package dev.walsh.study.paper;

import dev.walsh.config.ModelConfig;
import dev.walsh.config.Projection;
import dev.walsh.config.Recipe;
import dev.walsh.model.Cost;
import dev.walsh.model.Gpt;
import dev.walsh.report.Axis;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Columns;
import dev.walsh.report.Format;
import dev.walsh.report.Plot;
import dev.walsh.report.Section;
import dev.walsh.report.Series;
import dev.walsh.report.Series.Point;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import dev.walsh.report.Text;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import dev.walsh.tensor.Weights;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Tables 1 and 2 and Figure 3 of the paper, counted on the models themselves: exact, and the same on every machine. */
public final class Counted {
  /** The width at which Table 1's formulas are worked out. */
  private static final int WIDTH = 768;
  private static final int HEADS = 12;

  private final Published published;

  public Counted(Published published) {
    this.published = published;
  }

  private static ModelConfig oneLayer(int width, int heads, String projection) {
    return new ModelConfig(1, width, heads, ModelConfig.defaultHidden(width), 16, 64, Projection.named(projection));
  }

  private static Cost projection(int width, int heads, String named) {
    var weights = new Weights(Device.META, Dtype.F32, 0);
    try {
      return new Gpt(oneLayer(width, heads, named), weights).outputProjectionCost();
    } finally {
      weights.close();
    }
  }

  /** Operations of the map alone, a multiply-add counted once as the paper does, additions as one. */
  private static double operations(int width, int heads, String named) {
    double forward = projection(width, heads, named).forward();
    return named.equals("dense") ? forward / 2 : forward;
  }

  private static double paperTransform(int width) {
    return width * Math.log(width) / Math.log(2);
  }

  /** Table 1: a dense output projection beside the transform. */
  public Section table1() {
    var dense = projection(WIDTH, HEADS, "dense");
    var bare = projection(WIDTH, HEADS, "hadamard-alpha-beta");
    var affine = projection(WIDTH, HEADS, "hadamard");
    var table = Table.of("One output projection at width " + WIDTH + ", a token", Column.text("quantity"), Column.text("paper: dense"),
        Column.number("ours"), Column.text("paper: transform"), Column.number("ours"), Column.number("with alpha and beta"))
        .row(Cell.of("parameters"), Cell.of("c²"), Cell.of(dense.parameters(), Format.COUNT), Cell.of("0"), Cell.of(bare.parameters(),
            Format.COUNT), Cell.of(affine.parameters(), Format.COUNT))
        .row(Cell.of("operations"), Cell.of("c²"), Cell.of(dense.forward() / 2, Format.COUNT), Cell.of("c log₂ c"), Cell.of(bare.forward(),
            Format.COUNT), Cell.of(affine.forward(), Format.COUNT))
        .row(Cell.of("weights in bf16"), Cell.of("c²"), Cell.of(2.0 * dense.parameters(), Format.BYTES), Cell.of("0"), Cell.of(2.0 * bare
            .parameters(), Format.BYTES), Cell.of(2.0 * affine.parameters(), Format.BYTES));
    return Section.of("Table 1", table, Text.of("A multiply-add of the dense product counts once, as in the paper. The paper's c log₂ c is "
        + "for powers of two; at 768 = 12 · 2⁶ it would be ").then(Span.of(paperTransform(WIDTH), Format.COUNT)).then(
            ", and our matrix of order 12 takes 11 additions a channel where a power of two takes log₂ 12 = 3.6."));
  }

  /** Table 2: the sizes. */
  public Section table2() {
    var table = Table.of("Models; parameters ours beside the paper's", Column.text("model"), Column.number("layers"),
        Column.number("width"),
        Column.number("heads"), Column.number("dense"), Column.number("paper"), Column.number("Hadamard"), Column.number("paper"), Column
            .number("batch", "tokens"),
        Column.number("paper"), Column.number("learning rate"), Column.number("paper"));
    for (var size : published.sizes()) {
      var model = ModelConfig.parse(size.model());
      long dense = Gpt.parameters(model);
      long hadamard = Gpt.parameters(model.with(Projection.named("hadamard")));
      var recipe = Recipe.of(model, 1, false);
      boolean trained = size.batchTokens() != null;
      table = table.row(Cell.of(size.name() + " " + size.model()).strong(), Cell.of(model.layers(), Format.PLAIN), Cell.of(Integer.toString(
          model.width())), Cell.of(model.heads(), Format.PLAIN), Cell.of(dense, Format.COUNT), Cell.of(size.dense(), Format.COUNT), Cell.of(
              hadamard, Format.COUNT),
          Cell.of(size.hadamard(), Format.COUNT), trained
              ? Cell.of(recipe.batchTokens(), Format.COUNT)
              : Cell
                  .none(),
          orNone(size.batchTokens()), trained ? Cell.of(Span.chosen(recipe.learningRate())) : Cell.none(), rate(size.learningRate()));
    }
    return Section.of("Table 2", table,
        Text.of("The paper trained the first three; of the others it says neither layers nor heads, and these "
            + "are inferred from the counts."));
  }

  private static Cell orNone(@Nullable Integer tokens) {
    return tokens == null ? Cell.none() : Cell.of(tokens, Format.COUNT);
  }

  private static Cell rate(@Nullable Double learningRate) {
    return learningRate == null ? Cell.none() : Cell.of(Span.chosen(learningRate));
  }

  /** Figure 3: operations of a dense projection and of the transform by width. */
  public Section figure3() {
    var table = Table.of("Operations of one projection, a token", Column.text("width"), Column.number("dense", "c²"), Column.number("ours"),
        Column.number("transform", "c log₂ c"), Column.number("ours"), Column.number("ratio", "paper's formula"), Column.number("ratio",
            "ours"));
    for (int width : published.widths()) {
      double dense = operations(width, heads(width), "dense");
      double ours = operations(width, heads(width), "hadamard-alpha-beta");
      double square = (double) width * width;
      table = table.row(Cell.of(Integer.toString(width)).strong(), Cell.of(square, Format.COUNT), Cell.of(dense, Format.COUNT), Cell.of(
          paperTransform(width), Format.COUNT), Cell.of(ours, Format.COUNT), Cell.of(square / paperTransform(width), Format.PLAIN),
          Cell.of(
              dense / ours, Format.PLAIN));
    }
    var widths = published.widths();
    var series = List.of(line("dense, c²", widths, "dense"), Series.of("c log₂ c", widths.stream().map(w -> new Point(w, paperTransform(w)))
        .toList()), line("transform, ours", widths, "hadamard-alpha-beta"));
    return Section.of("Figure 3", table, Columns.of(Plot.of("Operations by width", Axis.log("width", "", Format.PLAIN), Axis.log(
        "operations", "a token", Format.COUNT), series)));
  }

  private static Series line(String name, List<Integer> widths, String projection) {
    return Series.of(name, widths.stream().map(w -> new Point(w, operations(w, heads(w), projection))).toList());
  }

  /** Heads of 64 channels, as the paper's; a single one at width 64. */
  private static int heads(int width) {
    return Math.max(1, width / 64);
  }
}
