package dev.walsh.study.findings;

import dev.walsh.study.cells.CellRecord;
import dev.walsh.study.cells.Reading;
import java.util.List;

/** A finished cell: what came of it, and its curve. */
record Run(CellRecord record, List<Reading> curve) {
  int seed() {
    return record.seed();
  }

  boolean isDiverged() {
    return record.diverged() != null;
  }
}
