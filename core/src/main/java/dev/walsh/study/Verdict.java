package dev.walsh.study;

import dev.walsh.report.Format;
import dev.walsh.report.Span;
import dev.walsh.report.Text;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What may be said of a comparison.
 *
 * @param sentence for the top of the page and the end of the terminal's output
 * @param footnotes how the noise is known
 */
record Verdict(Text sentence, List<Text> footnotes) {
  static Verdict of(ComparisonRecord comparison, List<ArmResult> arms) {
    if (!comparison.finished()) {
      return new Verdict(
          Text.of("Interrupted before the learning rate came down, so there is no verdict; the curves end where the training did."),
          List.of());
    }
    var dense = arms.getFirst();
    var noise = comparison.seeds() > 1 ? null : Noise.of(comparison.arms().getFirst().model(), comparison.recipe().tokens());
    var sentence = Text.of("");
    for (var arm : arms.subList(1, arms.size())) {
      sentence = about(sentence, arm, dense, Difference.of(arm, dense, noise), comparison.seeds());
    }
    return new Verdict(sentence, footnotes(comparison, noise, arms));
  }

  private static Text about(Text before, ArmResult arm, ArmResult dense, Difference difference, int seeds) {
    double parameters = (double) arm.parameters() / dense.parameters() - 1;
    double speed = arm.tokensPerSecond() / dense.tokensPerSecond();
    var text = before.then(before.toString().isEmpty() ? "" : " ").then(capitalised(arm.name()) + ", with ").then(Span.percent(parameters))
        .then(" parameters and ").then(new Span("%.2f".formatted(speed), speed)).then(" times the speed, ends ")
        .then(Span.difference(difference.mean(), 4))
        .then(" nats a token from dense: ");
    var outOf = seeds == 1 ? "one seed" : seeds + " seeds";
    var margin = new Span("±%.4f".formatted(difference.halfWidth()), difference.halfWidth());
    return switch (difference.finding()) {
      case NONE -> text.then("no difference that " + outOf + " can show (").then(margin).then(").");
      case LOWER -> text.then("a lower loss, beyond the noise of " + outOf + " (").then(margin).then(").");
      case HIGHER -> text.then("a higher loss, beyond the noise of " + outOf + " (").then(margin).then(").");
      case UNKNOWN -> text.then("the noise of this setup is not known, so one seed shows nothing; add --seeds 5.");
    };
  }

  private static String capitalised(String name) {
    return name.substring(0, 1).toUpperCase(Locale.ROOT) + name.substring(1);
  }

  private static List<Text> footnotes(ComparisonRecord comparison, @Nullable Noise noise, List<ArmResult> arms) {
    var notes = new ArrayList<Text>();
    if (noise != null) {
      notes.add(Text.of("The noise of one seed is twice the spread of the paired difference over " + noise.seeds()
          + " seeds, measured with this shape at "
          + Format.COUNT.text(noise.tokens()) + " tokens on " + noise.stamp().date() + " (" + noise.stamp().device() + ")."));
    }
    if (comparison.seeds() > 1) {
      notes.add(Text.of("Margins are 95% t-intervals of the difference paired by seed."));
      for (var arm : arms.subList(1, arms.size())) {
        var difference = Difference.of(arm, arms.getFirst(), null);
        notes.add(Text.of("Spread of the paired difference of " + arm.name() + ": ").then(Span.of(difference.spread(), Format.PLAIN))
            .then(" nats a token."));
      }
    }
    return notes;
  }
}
