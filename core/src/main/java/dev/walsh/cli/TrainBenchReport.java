package dev.walsh.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Span;
import dev.walsh.report.Table;
import dev.walsh.train.StepProfile;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What {@code walsh bench train} found out: rows of its line of JSON, and the tables of them that people read. */
final class TrainBenchReport {
  private static final double TARGET = 0.8;

  private TrainBenchReport() {}

  /**
   * A measured step.
   *
   * @param graph on or off
   * @param mfu share of the measured matrix product's rate
   * @param roofline share of the speed that the rates of products and copies allow
   * @param memoryMib of the GPU in use; on the CPU, the most that this process held
   * @param computedMib what training holds, computed
   * @param profile where the time of a step goes, on the GPU
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  record Row(String model, int batch, int length, String projection, String graph, double ms, double tokensPerSecond, double mfu,
      double roofline, double memoryMib, boolean recompute, double computedMib, double firstLoss, double lastLoss, double lossError,
      @Nullable StepProfile profile) {
    private String title() {
      return model + ", " + projection + ", " + batch + " × " + length + ("off".equals(graph) ? ", no graph" : "");
    }
  }

  /** What one model saves by its Hadamard projection. */
  record Saved(String model, int batch, int length, String graph, HadamardSaving saving) {}

  /** All tables, in the order in which they are read. */
  static List<Table> tables(String caption, List<Row> rows, List<Saved> savings) {
    var tables = new ArrayList<>(List.of(steps(caption, rows)));
    for (var row : rows) {
      if (row.profile != null) tables.add(profile(row.title(), row.profile));
    }
    if (!savings.isEmpty()) tables.add(savings(savings));
    return tables;
  }

  private static Table steps(String caption, List<Row> rows) {
    var table = Table.of(caption, Column.text("model"), Column.text("batch"), Column.text("projection"), Column.text("graph"),
        Column.number("step", "ms"), Column.number("speed", "tokens/s"), Column.number("MFU"), Column.number("of roofline"),
        Column.number("memory"), Column.number("computed"), Column.number("loss", "nats"));
    for (var row : rows) {
      table = table.row(Cell.of(row.model), Cell.of(row.batch + " × " + row.length), Cell.of(row.projection), Cell.of(row.graph),
          Cell.of(row.ms, Format.PLAIN), Cell.of(row.tokensPerSecond, Format.PLAIN), KernelBench.share(row.mfu),
          KernelBench.share(row.roofline), Cell.of(row.memoryMib * (1 << 20), Format.BYTES),
          Cell.of(row.computedMib * (1 << 20), Format.BYTES),
          Cell.of(new Span(String.format(Locale.ROOT, "%.2f to %.2f", row.firstLoss, row.lastLoss), row.lastLoss)));
    }
    return table;
  }

  private static Table profile(String title, StepProfile profile) {
    var table = Table.of("One recorded step of " + title, Column.text("kernels"), Column.number("time", "ms"), Column.number("share"),
        Column.number("launches"));
    for (var group : profile.groups()) {
      table = table.row(Cell.of(group.group().toString()), Cell.of(group.milliseconds(), Format.PLAIN), KernelBench.share(group.share()),
          Cell.of(Integer.toString(group.launches())));
    }
    double idle = profile.idleMilliseconds();
    return table
        .row(Cell.of("none: gaps"), Cell.of(idle, Format.PLAIN), KernelBench.share(idle / profile.milliseconds()), Cell.none())
        .row(Cell.of("the step"), Cell.of(profile.milliseconds(), Format.PLAIN), KernelBench.share(1),
            Cell.of(Integer.toString(profile.launches())));
  }

  private static Table savings(List<Saved> savings) {
    var table = Table.of("Saved by Hadamard, of what all layers' operators would save alone; to reach: "
        + Math.round(100 * TARGET) + "%", Column.text("model"), Column.text("graph"), Column.number("a step", "ms"),
        Column.number("dense alone", "ms"), Column.number("operator alone", "ms"), Column.number("reached"));
    for (var s : savings) {
      table = table.row(Cell.of(s.model), Cell.of(s.graph), Cell.of(s.saving.saved(), Format.PLAIN),
          Cell.of(s.saving.dense(), Format.PLAIN), Cell.of(s.saving.operator(), Format.PLAIN), KernelBench.share(s.saving.share()));
    }
    return table;
  }
}
