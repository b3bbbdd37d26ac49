package dev.walsh.study.paper;

import dev.walsh.config.UserError;
import dev.walsh.files.Disk;
import dev.walsh.generate.InferenceBenchmark.Kind;
import dev.walsh.generate.InferenceResult;
import dev.walsh.generate.InferenceResult.Row;
import dev.walsh.study.Arm;
import dev.walsh.study.paper.InferenceGrid.Shape;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What the benchmarks of prefill and decoding measured, and where.
 *
 * @param from what the results are of, for the start of a sentence
 */
public record Measured(List<InferenceResult> results, String from) {
  public Measured {
    results = List.copyOf(results);
  }

  /** Both projections in one cell. */
  record Pair(Row dense, Row hadamard) {
    double speedup() {
      return hadamard.speedup();
    }

    /** 1 where Hadamard is faster, −1 where dense is, 0 where the interval does not tell. */
    int sign() {
      return hadamard.speedup_low() > 1 ? 1 : hadamard.speedup_high() < 1 ? -1 : 0;
    }
  }

  /**
   * Reads the files {@code decode*.json} and {@code prefill*.json} of a folder, none of which need be there; those of matrices in bytes and
   * of work that was no graph are left out, as they answer other questions.
   */
  public static Measured read(Path folder) {
    var results = new ArrayList<InferenceResult>();
    if (Files.isDirectory(folder)) {
      try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "{decode,prefill}*.json")) {
        var sorted = new ArrayList<Path>();
        files.forEach(sorted::add);
        sorted.sort(Comparator.naturalOrder());
        for (var file : sorted) {
          var result = InferenceResult.read(file);
          if (result.weights().equals("full") && result.graph().equals("on")) results.add(result);
        }
      } catch (IOException e) {
        throw new UserError("Cannot read the folder " + folder + " (" + Disk.reason(e) + "); check its permissions", e);
      }
    }
    return new Measured(results, folder.toString());
  }

  /** A cell in which both projections were measured in turns, dense being the first; null where there is none. */
  @Nullable
  Pair find(Kind kind, String model, Shape cell) {
    for (var result : results) {
      if (result.bench() != kind) continue;
      var dense = find(result, model, cell, Arm.BASELINE);
      var hadamard = find(result, model, cell, "hadamard");
      // The first of a cell's projections is compared with itself.
      if (dense != null && hadamard != null && dense.speedup() == 1) return new Pair(dense, hadamard);
    }
    return null;
  }

  private static @Nullable Row find(InferenceResult result, String model, Shape cell, String projection) {
    for (var row : result.rows()) {
      if (row.model().equals(model) && row.projection().equals(projection) && row.hasSoftmax() && row.batch() == cell.batch()
          && row.length() == cell.length()) {
        return row;
      }
    }
    return null;
  }

  /** Where the figures of a kind are from, or that there are none. */
  String origin(Kind kind) {
    var of = results.stream().filter(result -> result.bench() == kind).toList();
    if (of.isEmpty()) {
      return "Nothing of " + kind + " has been measured: " + from + " has no " + kind + ".json; make it with 'walsh bench " + kind
          + " --out " + from + "/" + kind + ".json'. ";
    }
    return "Ours: " + of.stream().map(result -> result.dtype() + " on " + result.stamp().device()).distinct().collect(Collectors.joining(
        "; ")) + " (" + from + "). ";
  }
}
