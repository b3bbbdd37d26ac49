package dev.walsh.study.findings;

import dev.walsh.report.Format;
import dev.walsh.report.Span;
import dev.walsh.report.Text;
import dev.walsh.study.Arm;
import dev.walsh.study.Interval;
import dev.walsh.study.findings.Claim.Finding;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The claims of the paper (arXiv 2603.08343) that a study can speak to, and what it says of each. */
final class Claims {
  private static final String HADAMARD = "hadamard";
  private static final String IDENTITY = "identity";
  /** The largest final gap of the training curves in the paper's Figure 4, in nats a token. */
  private static final double PAPER_GAP = 0.02;
  /** Accuracies this much lower still count as comparable; the paper's own differences reach −1.6 points. */
  private static final double COMPARABLE = 0.01;
  /** Losses this close count as equal: half of the least gap that the paper reports. */
  private static final double EQUAL = 0.005;
  private static final double ATTENTION_SHARE = 0.25;
  private static final double ATTENTION_TOLERANCE = 0.01;

  /** How verdicts come about, for the reader. */
  static final String RULES = "A verdict follows from 95% t-intervals over seeds: supported where they lie on the claimed side at every size, not"
      + " supported where one lies on the other, undecided otherwise, and where there is one seed. A loss is lower if its interval lies below zero;"
      + " one within ±" + EQUAL + " nats is equal, hence not lower. An accuracy is comparable if its interval stays above −" + COMPARABLE
      + "; tasks on which dense is less than three standard errors above chance do not count. Exponents differ if the bootstrap interval of"
      + " their difference excludes zero.";

  private final List<Setting> settings;
  private final ScalingLaws laws;

  private Claims(List<Setting> settings, ScalingLaws laws) {
    this.settings = settings;
    this.laws = laws;
  }

  static List<Claim> of(List<Setting> settings, ScalingLaws laws) {
    return new Claims(settings, laws).all();
  }

  private List<Claim> all() {
    return List.of(
        paired("The loss stays within 0.02 nats of dense's", "Fig. 4: +0.01, +0.02, +0.02 after the same steps",
            s -> Paired.atEqualTokens(s, HADAMARD, Arm.BASELINE), Claims::within),
        paired("The loss is lower at an equal training budget", "abstract of v2; Fig. 4 draws it against FLOPs",
            s -> Paired.atEqual(Budget.FLOPS, s, HADAMARD, Arm.BASELINE), Claims::lower),
        paired("It is the transform that does it: better than no W_O at all", "implied throughout; the paper has no such control",
            s -> Paired.atEqualTokens(s, HADAMARD, IDENTITY), Claims::lower),
        scaling(), downstream(), attention(), memory(), throughput());
  }

  private static Finding within(Interval difference) {
    if (!difference.isKnown()) return Finding.UNDECIDED;
    if (difference.high() <= PAPER_GAP) return Finding.SUPPORTED;
    return difference.low() > PAPER_GAP ? Finding.NOT_SUPPORTED : Finding.UNDECIDED;
  }

  /** An interval that lies within a hair of zero contradicts "lower" as one above zero does. */
  private static Finding lower(Interval difference) {
    if (!difference.isKnown()) return Finding.UNDECIDED;
    if (difference.high() < 0) return Finding.SUPPORTED;
    boolean equal = difference.low() > -EQUAL && difference.high() < EQUAL;
    return difference.low() > 0 || equal ? Finding.NOT_SUPPORTED : Finding.UNDECIDED;
  }

  private Claim paired(String statement, String paper, Function<Setting, Paired> pairing, Function<Interval, Finding> judged) {
    var findings = new ArrayList<Finding>();
    var because = Text.of("");
    for (var setting : settings) {
      var pair = pairing.apply(setting);
      if (!pair.isKnown()) continue;
      findings.add(judged.apply(pair.difference()));
      because = because.then((findings.size() == 1 ? "" : "; ") + setting.name() + ": ");
      because = Words.interval(because, pair.difference(), 4).then(" nats");
    }
    if (findings.isEmpty()) because = Text.of("no pair of runs yet");
    return new Claim(statement, paper, Finding.ofAll(findings), because);
  }

  private Claim scaling() {
    var statement = "The loss falls more steeply with compute";
    var paper = "Fig. 4: exponents 0.072, 0.092, 0.086; dense 0.072, 0.090, 0.083";
    var law = law(HADAMARD);
    var dense = law(Arm.BASELINE);
    if (law == null || dense == null) {
      return new Claim(statement, paper, Finding.UNDECIDED,
          Text.of("not fitted: a law needs " + ScalingLaws.LEAST_SIZES + " sizes of both arms"));
    }
    var bounds = laws.difference(HADAMARD, Arm.BASELINE);
    var because = Text.of("exponents ").then(Span.difference(law.law().exponent(), 4)).then(" and ")
        .then(Span.difference(dense.law().exponent(), 4)).then(" (Hadamard, dense), their difference in ")
        .then(Span.difference(bounds.low(), 4)).then(" … ").then(Span.difference(bounds.high(), 4));
    var finding = bounds.high() < 0 ? Finding.SUPPORTED : bounds.low() > 0 ? Finding.NOT_SUPPORTED : Finding.UNDECIDED;
    return new Claim(statement, paper, finding, because);
  }

  private ScalingLaws.@Nullable Law law(String arm) {
    return laws.laws().stream().filter(law -> law.arm().equals(arm)).findFirst().orElse(null);
  }

  private Claim downstream() {
    var findings = new ArrayList<Finding>();
    var because = Text.of("");
    int silent = 0;
    for (var setting : settings) {
      for (var task : TaskScores.of(setting)) {
        var arm = task.arms().get(HADAMARD);
        if (arm == null || arm.difference().count() == 0) continue;
        if (!task.tells()) {
          silent++;
          continue;
        }
        findings.add(comparable(arm.difference()));
        because = because.then((findings.size() == 1 ? "" : "; ") + task.task() + " at " + setting.size() + " ");
        because = Words.interval(because, arm.difference(), 4);
      }
    }
    if (findings.isEmpty()) because = Text.of(silent == 0 ? "no task has been run" : "no task tells");
    if (silent > 0) because = because.then("; left out, dense being less than three standard errors above chance: " + silent);
    return new Claim("Downstream accuracy is comparable (no more than a point lower)", "Table 4: −1.6 to +2.8 points, one seed",
        Finding.ofAll(findings), because);
  }

  private static Finding comparable(Interval difference) {
    if (!difference.isKnown()) return Finding.UNDECIDED;
    if (difference.low() >= -COMPARABLE) return Finding.SUPPORTED;
    return difference.high() < -COMPARABLE ? Finding.NOT_SUPPORTED : Finding.UNDECIDED;
  }

  private Claim attention() {
    var findings = new ArrayList<Finding>();
    var because = Text.of("");
    for (var setting : settings) {
      if (setting.runs(HADAMARD).isEmpty()) continue;
      long ours = setting.runs(HADAMARD).getFirst().record().sizes().attentionParameters();
      double share = (double) ours / setting.dense().attentionParameters() - 1;
      findings.add(Math.abs(share + ATTENTION_SHARE) <= ATTENTION_TOLERANCE ? Finding.SUPPORTED : Finding.NOT_SUPPORTED);
      because = because.then((findings.size() == 1 ? "" : "; ") + setting.size() + ": ").then(Span.percent(share)).then(" (")
          .then(Span.of(ours, Format.COUNT)).then(" of ").then(Span.of(setting.dense().attentionParameters(), Format.COUNT)).then(")");
    }
    if (findings.isEmpty()) because = Text.of("no run yet");
    return new Claim("About 25% fewer attention parameters", "abstract: 4d² to 3d² + 2d", Finding.ofAll(findings), because);
  }

  private Claim memory() {
    return systems("8.9% less peak memory", "abstract; its Table 3 shows at most 2.8%, in decoding", Figures::memory);
  }

  private Claim throughput() {
    return systems("Throughput up by 6.6%", "Table 3: 5.6B, decoding at batch 1024", run -> run.record().tokensPerSecond());
  }

  /** What the paper measured in decoding; a study trains, so it can but tell what holds there. */
  private Claim systems(String statement, String paper, Function<Run, Double> figure) {
    var because = Text.of("claimed of decoding, which a study does not measure; in training ");
    boolean any = false;
    for (var setting : settings) {
      double ours = Figures.mean(setting.runs(HADAMARD), figure);
      double dense = Figures.mean(setting.runs(Arm.BASELINE), figure);
      if (Double.isNaN(ours / dense)) continue;
      because = because.then((any ? "; " : "") + setting.size() + ": ").then(Span.percent(ours / dense - 1));
      any = true;
    }
    return new Claim(statement, paper, Finding.UNDECIDED, any ? because : because.then("no pair of runs yet"));
  }
}
