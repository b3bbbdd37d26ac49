package dev.walsh.study.findings;

import dev.walsh.report.Text;
import java.util.List;

/**
 * A claim of the paper, and what a study says of it.
 *
 * @param statement in a few words
 * @param paper where the paper says so, and with which figures
 * @param finding what the study shows
 * @param because the numbers that decide, or what is missing
 */
record Claim(String statement, String paper, Finding finding, Text because) {
  /** What a study may show of a claim. */
  enum Finding {
    SUPPORTED("supported"), NOT_SUPPORTED("not supported"), UNDECIDED("undecided");

    private final String words;

    Finding(String words) {
      this.words = words;
    }

    /** Of several cases: one that contradicts is enough, and all must support. */
    static Finding ofAll(List<Finding> cases) {
      if (cases.contains(NOT_SUPPORTED)) return NOT_SUPPORTED;
      return cases.isEmpty() || cases.contains(UNDECIDED) ? UNDECIDED : SUPPORTED;
    }

    @Override
    public String toString() {
      return words;
    }
  }
}
