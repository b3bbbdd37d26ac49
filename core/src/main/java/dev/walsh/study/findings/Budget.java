package dev.walsh.study.findings;

import dev.walsh.study.cells.CellRecord;
import dev.walsh.study.cells.Reading;

/** What a model can be granted equally much of. */
enum Budget {
  TOKENS {
    @Override
    double spent(Reading at, CellRecord by) {
      return at.tokens();
    }
  },
  /** Operations of training, as the model counts them. */
  FLOPS {
    @Override
    double spent(Reading at, CellRecord by) {
      return at.flops();
    }
  },
  /** Seconds at the median speed of the run, so that the first steps, in which kernels are chosen, count like any others. */
  SECONDS {
    @Override
    double spent(Reading at, CellRecord by) {
      return at.tokens() / by.tokensPerSecond();
    }
  };

  /** What a run had spent at a reading. */
  abstract double spent(Reading at, CellRecord by);
}
