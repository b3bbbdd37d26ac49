package dev.walsh.cli;

import dev.walsh.generate.InferenceBenchmark.Kind;
import dev.walsh.generate.InferenceResult;
import dev.walsh.generate.InferenceResult.Row;
import dev.walsh.measure.Rates;
import dev.walsh.measure.Stamp;
import dev.walsh.study.paper.InferenceGrid;
import dev.walsh.study.paper.InferenceGrid.Shape;
import dev.walsh.study.paper.Measured;
import dev.walsh.tensor.Device;
import dev.walsh.tensor.Dtype;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The small cells that any machine measures in seconds, so that all of Table 3 and Figures 5 to 8 is made once, whatever it says. */
final class SmokeInference {
  private static final int ROUNDS = 7;
  private static final List<String> PROJECTIONS = List.of("dense", "hadamard");

  private SmokeInference() {}

  static Measured measure(InferenceGrid grid, Device device, Dtype dtype, Stamp stamp) {
    var rates = Rates.measure(device.toString());
    return new Measured(List.of(result(Kind.DECODE, grid, grid.decoding(), rates, device, dtype, stamp), result(Kind.PREFILL, grid, grid
        .prefill(), rates, device, dtype, stamp)), "small models, measured now; they say nothing of large ones");
  }

  private static InferenceResult result(Kind kind, InferenceGrid grid, Map<String, Set<Shape>> cells, Rates rates, Device device,
      Dtype dtype, Stamp stamp) {
    var rows = new ArrayList<Row>();
    grid.models().forEach((name, model) -> {
      var shapes = cells.getOrDefault(name, Set.of());
      int longest = shapes.stream().mapToInt(Shape::length).max().orElseThrow();
      try (var subjects = InferenceSubjects.random(InferenceSubjects.arms(model, PROJECTIONS, List.of()), longest, device, dtype, false)) {
        subjects.verify();
        for (var cell : shapes) rows.addAll(subjects.cell(kind, name, cell.batch(), cell.length(), true, ROUNDS, rates));
      }
    });
    return new InferenceResult(kind, dtype.toString(), "full", "on", rates.copy() / 1e9, InferenceResult.product(rates, dtype) / 1e9, rows,
        stamp);
  }
}
