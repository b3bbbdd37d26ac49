package dev.walsh.study;

import dev.walsh.config.Json;
import dev.walsh.config.ModelConfig;
import dev.walsh.measure.Stamp;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * How far the difference of two arms' validation losses moves from seed to seed, measured once with the shape that is compared by default.
 *
 * @param model the shape, as its dense arm
 * @param tokens each run was trained on
 * @param seeds that were run
 * @param spread the standard deviation of the paired difference to dense, by arm, in nats a token
 * @param stamp when, where and how it was measured
 */
record Noise(ModelConfig model, long tokens, int seeds, Map<String, Double> spread, Stamp stamp) {
  private static final String RESOURCE = "compare-noise.json";

  /** What a comparison of several seeds shows of it. */
  static Noise measured(ComparisonRecord comparison, List<ArmResult> arms) {
    var spread = new LinkedHashMap<String, Double>();
    for (var arm : arms.subList(1, arms.size())) spread.put(arm.name(), Difference.of(arm, arms.getFirst(), null).spread());
    return new Noise(comparison.arms().getFirst().model(), comparison.recipe().tokens(), comparison.seeds(), spread, comparison.stamp());
  }

  /**
   * The measured noise for a shape; null where none was measured for it over at most as many tokens. Noise falls with the length of a run, so
   * that of a shorter one may stand in, and that of a longer one may not.
   */
  static @Nullable Noise of(ModelConfig dense, long tokens) {
    try (var in = Noise.class.getResourceAsStream(RESOURCE)) {
      if (in == null) return null;
      return Stream.of(Json.PRETTY.readValue(in.readAllBytes(), Noise[].class)).filter(n -> n.model.equals(dense) && n.tokens <= tokens)
          .max(Comparator.comparingLong(Noise::tokens)).orElse(null);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
