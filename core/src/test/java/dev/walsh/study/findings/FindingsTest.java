package dev.walsh.study.findings;

import dev.walsh.report.Column;
import dev.walsh.study.Interval;
import dev.walsh.study.Sizes;
import dev.walsh.study.cells.MadeStudy;
import dev.walsh.study.findings.Claim.Finding;
import dev.walsh.study.plan.Cell;
import dev.walsh.tensor.Dtype;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

/** Findings held against examples that were worked out by hand. */
final class FindingsTest {
  /** Three sizes; the losses are formulas of the tests. */
  private static final String PLAN = """
      {"name": "made", "data": "jdk", "groups": [
        {"name": "rates", "model": {"layers": 2, "width": 24, "heads": 2, "context": 16}, "tokens": 640, "batchTokens": 64,
         "arms": ["dense", "identity"], "seeds": [0], "learningRates": [1e-4, 1e-3, 1e-2, 1e-1]},
        {"name": "small", "model": {"layers": 2, "width": 24, "heads": 2, "context": 16}, "tokens": 6400, "batchTokens": 64,
         "arms": ["dense", "hadamard", "identity", "low-rank"], "seeds": [0, 1, 2], "learningRates": [1e-3], "tasks": ["easy", "hard"]},
        {"name": "middle", "model": {"layers": 4, "width": 24, "heads": 2, "context": 16}, "tokens": 12800, "batchTokens": 64,
         "arms": ["dense", "hadamard"], "seeds": [0, 1], "learningRates": [1e-3]},
        {"name": "large", "model": {"layers": 4, "width": 48, "heads": 2, "context": 16}, "tokens": 25600, "batchTokens": 64,
         "arms": ["dense", "hadamard"], "seeds": [0, 1], "learningRates": [1e-3]}]}
      """;
  private static final double[] SHARES = {0.1, 0.2, 0.4, 0.8, 1};
  @TempDir
  static Path out;
  private static Results results;
  private static Setting small;

  @BeforeAll
  static void make() throws IOException {
    var unused = MadeStudy.write(out, PLAN, SHARES, (cell, tokens) -> switch (cell.group().name()) {
      case "rates" -> cell.arm().equals("dense")
          ? rate(cell) == 1e-1 ? Double.NaN : 2 + 0.04 * Math.abs(Math.log10(rate(cell) / 1e-3))
          : 3 - Math.log10(rate(cell));
      // Hadamard: 0.1 above dense at first, 0.1 below at the end, crossing half-way between on the logarithm; seeds spread it by 0.01.
      case "small" -> 5 - Math.log10(tokens) + switch (cell.arm()) {
        case "hadamard" -> 0.1 - 0.2 * Math.log10(tokens / 640) + 0.01 * (cell.seed() - 1);
        case "identity" -> cell.seed() == 2 ? Double.NaN : 0.3;
        case "low-rank" -> Double.POSITIVE_INFINITY;
        default -> 0.02 * cell.seed();
      };
      default -> 10 * Math.pow(compute(cell, tokens), cell.arm().equals("dense") ? -0.1 : -0.12) + 1e-4 * cell.seed();
    }, (cell, task) -> task.equals("hard") ? 0.52 : cell.arm().equals("dense") ? 0.8 : 0.7 + 0.001 * cell.seed());
    results = Results.read(out);
    small = results.settings().getFirst();
  }

  private static double rate(Cell cell) {
    return Objects.requireNonNull(cell.learningRate());
  }

  private static double compute(Cell cell, double tokens) {
    return tokens * Sizes.of(cell.group().arm(cell.arm(), 257).model(), cell.group().recipe(1e-3, 0, true),
        Dtype.F32).flopsAToken();
  }

  @Test
  void intervalsAreStudents() {
    var interval = Interval.of(1, 2, 3);
    assertThat(interval.mean()).isEqualTo(2);
    assertThat(interval.spread()).isEqualTo(1);
    // t of two degrees of freedom at 97.5% is 4.302653.
    assertThat(interval.halfWidth()).isCloseTo(4.302653 / Math.sqrt(3), within(1e-6));
    assertThat(Interval.of(7)).satisfies(one -> {
      assertThat(one.mean()).isEqualTo(7);
      assertThat(one.isKnown()).isFalse();
    });
    assertThat(Interval.of().mean()).isNaN();
  }

  @Test
  void differencesArePairedBySeed() {
    // At the end hadamard is −0.1 + 0.01 (s − 1) and dense 0.02 s above the same curve: the differences are −0.11, −0.12, −0.13.
    var paired = Paired.atEqualTokens(small, "hadamard", "dense");
    assertThat(paired.difference().mean()).isCloseTo(-0.12, within(1e-9));
    assertThat(paired.difference().halfWidth()).isCloseTo(4.302653 * 0.01 / Math.sqrt(3), within(1e-6));
    var identity = Paired.atEqualTokens(small, "identity", "dense");
    assertThat(identity.diverged()).isEqualTo(1);
    assertThat(identity.difference().count()).isEqualTo(2);
    assertThat(Paired.atEqualTokens(small, "low-rank", "dense").isKnown()).isFalse();
  }

  @Test
  void atEqualComputeTheDearerIsReadOffWhereTheCheaperEnds() {
    double ratio = compute(small, "hadamard") / compute(small, "dense");
    assertThat(ratio).isLessThan(1);
    // Dense falls by 1 a decade, so where it had spent as much as hadamard it stood log10(1 / ratio) higher.
    double expected = -0.12 + Math.log10(ratio);
    assertThat(Paired.atEqual(Budget.FLOPS, small, "hadamard", "dense").difference().mean()).isCloseTo(expected, within(1e-9));
    // The made speed is in inverse proportion to the operations, so equal time is equal compute.
    assertThat(Paired.atEqual(Budget.SECONDS, small, "hadamard", "dense").difference().mean()).isCloseTo(expected, within(1e-9));
  }

  private static double compute(Setting setting, String arm) {
    return setting.runs(arm).getFirst().record().sizes().flopsAToken();
  }

  @Test
  void curvesAreReadOffOnTheLogarithmAndNowhereBeyond() {
    var curve = new Curve(List.of(new Curve.Point(10, 4), new Curve.Point(1000, 2)));
    assertThat(curve.at(100)).isCloseTo(3, within(1e-12));
    assertThat(curve.at(1000)).isEqualTo(2);
    assertThat(curve.at(9)).isNaN();
    assertThat(curve.at(1001)).isNaN();
    assertThat(new Curve(List.of()).end()).isNaN();
  }

  @Test
  void theGapCrossesWhereTheFormulaDoes() {
    var gap = Gap.of(small, "hadamard", "dense");
    assertThat(gap.points()).hasSize(5);
    // 0.1 − 0.2 log10(t / 640) + 0.01 (s − 1) − 0.02 s is zero in the mean over s where log10(t / 640) = 0.4.
    var crossing = Objects.requireNonNull(gap.crossing());
    assertThat(crossing.tokens()).isCloseTo(640 * Math.pow(10, 0.4), within(1e-6));
    assertThat(crossing.isProven()).isTrue();
    assertThat(Gap.of(small, "identity", "dense").crossing()).isNull();
  }

  @Test
  void theGapIsReadAtTheEndAndEachTimeHalfAsFarOn() {
    var gaps = Gaps.of(small);
    // Validations after 640, 1280, 2560, 5120 and 6400 tokens: nearest to an eighth, a quarter, a half and all of 6400, nothing to a sixteenth.
    assertThat(gaps.table().columns()).extracting(Column::name).containsExactly("arm", "640", "1.280k", "2.560k", "6.400k");
    // In the mean over seeds hadamard is 0.1 − 0.2 log10(t / 640) − 0.02 from dense, and identity 0.3 − 0.01.
    assertThat(gaps.table().rows().getFirst()).extracting(cell -> cell.content().value()).satisfies(values -> {
      assertThat(values.get(1)).isCloseTo(0.08, within(1e-9));
      assertThat(values.get(4)).isCloseTo(-0.12, within(1e-9));
    });
    assertThat(gaps.table().rows().getLast()).as("every run of low-rank diverged").extracting(cell -> cell.content().value())
        .containsOnlyNulls();
    var drawn = gaps.plot().series().get(1);
    assertThat(drawn.points()).hasSize(5);
    assertThat(drawn.band()).hasSize(5);
    assertThat(Gaps.of(results.settings().get(1)).plot().series().get(1).faint()).as("the two seeds").hasSize(2);
  }

  @Test
  void theBestLearningRateHasARangeAndMayLieAtTheEdge() {
    var sweep = results.sweeps().getFirst();
    var dense = Objects.requireNonNull(sweep.of("dense"));
    assertThat(dense.best().learningRate()).isEqualTo(1e-3);
    assertThat(dense.low()).isEqualTo(1e-4);
    assertThat(dense.high()).as("a tenth diverged").isEqualTo(1e-2);
    assertThat(dense.atEdge()).isFalse();
    var identity = Objects.requireNonNull(sweep.of("identity"));
    assertThat(identity.best().learningRate()).isEqualTo(1e-1);
    assertThat(identity.low()).isEqualTo(1e-1);
    assertThat(identity.atEdge()).isTrue();
  }

  @Test
  void aLawNeedsThreeSizesAndFindsTheExponentItWasMadeWith() throws IOException {
    assertThat(ScalingLaws.of(results.settings().subList(0, 2)).laws()).isEmpty();
    var folder = out.resolve("laws");
    var unused = MadeStudy.write(folder, PLAN, SHARES,
        (cell, tokens) -> 10 * Math.pow(compute(cell, tokens), cell.arm().equals("dense") ? -0.1 : -0.12) * (1 + 1e-3 * cell.seed()),
        (_, _) -> 0.5);
    var laws = ScalingLaws.of(Results.read(folder).settings());
    assertThat(laws.laws()).extracting(ScalingLaws.Law::arm).containsExactly("dense", "hadamard");
    assertThat(laws.laws().getFirst().law().exponent()).isCloseTo(-0.1, within(2e-4));
    var hadamard = laws.laws().getLast();
    assertThat(hadamard.law().exponent()).isBetween(hadamard.exponent().low(), hadamard.exponent().high());
    assertThat(hadamard.law().coefficient()).isBetween(hadamard.coefficient().low(), hadamard.coefficient().high());
    var difference = laws.difference("hadamard", "dense");
    assertThat(difference.low()).isCloseTo(-0.02, within(2e-4));
    assertThat(difference.high()).as("the same seeds are drawn for both, so their noise cancels").isCloseTo(-0.02, within(2e-4));
    assertThat(difference.low()).isLessThanOrEqualTo(difference.high());
    assertThat(laws.difference("identity", "dense").low()).isNaN();
  }

  @Test
  void aTaskNearChanceTellsNothing() {
    var tasks = TaskScores.of(small);
    assertThat(tasks).extracting(TaskScores::task).containsExactlyInAnyOrder("easy", "hard");
    var easy = tasks.stream().filter(t -> t.task().equals("easy")).findFirst().orElseThrow();
    assertThat(easy.tells()).isTrue();
    assertThat(Objects.requireNonNull(easy.arms().get("hadamard")).difference().mean()).isCloseTo(-0.099, within(1e-9));
    assertThat(tasks.stream().filter(t -> t.task().equals("hard")).findFirst().orElseThrow().tells()).isFalse();
  }

  @Test
  void verdictsFollowFromTheIntervals() {
    var settings = results.settings();
    var claims = Claims.of(settings, ScalingLaws.of(settings));
    assertThat(finding(claims, "within 0.02")).as("−0.12 ± 0.025 and far below at the other sizes").isEqualTo(Finding.SUPPORTED);
    assertThat(finding(claims, "equal training budget")).isEqualTo(Finding.SUPPORTED);
    assertThat(finding(claims, "no W_O at all")).as("two seeds are left, −0.40 and −0.41").isEqualTo(Finding.SUPPORTED);
    assertThat(finding(claims, "Downstream")).as("ten points lower on the task that tells").isEqualTo(Finding.NOT_SUPPORTED);
    assertThat(finding(claims, "25% fewer")).as("2d of 4d² are 2% at this width").isEqualTo(Finding.NOT_SUPPORTED);
    assertThat(finding(claims, "peak memory")).isEqualTo(Finding.UNDECIDED);
    assertThat(finding(claims, "Throughput")).isEqualTo(Finding.UNDECIDED);
    assertThat(Finding.ofAll(List.of())).isEqualTo(Finding.UNDECIDED);
    assertThat(Finding.ofAll(List.of(Finding.SUPPORTED, Finding.UNDECIDED))).isEqualTo(Finding.UNDECIDED);
  }

  private static Finding finding(List<Claim> claims, String words) {
    return claims.stream().filter(claim -> claim.statement().contains(words)).findFirst().orElseThrow().finding();
  }

  @Test
  void whatHasNotRunIsShownAsEmpty() {
    var page = StudyReport.read(out).page().toHtml();
    assertThat(page).contains("low-rank ×3").contains("0 of 3", "1 diverged", "at the edge of what was tried", "does not tell");
  }
}
