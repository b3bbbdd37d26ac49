package dev.walsh.study.paper;

import dev.walsh.config.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The numbers of the paper.
 *
 * @param source where they come from
 * @param sizes of its models (Table 2), the losses and exponents of Figure 4 with them
 * @param widths of Figure 3
 * @param accuracy of Table 4 in percent, dense then Hadamard, by preset and task
 */
public record Published(String source, List<Size> sizes, List<Integer> widths, Map<String, Map<String, List<Double>>> accuracy) {
  private static final String RESOURCE = "published.json";

  public Published {
    accuracy = new LinkedHashMap<>(accuracy);
  }

  /**
   * A model of the paper; what it does not say is null.
   *
   * @param name the paper's
   * @param model the preset
   * @param dense parameters, rounded as published
   * @param hadamard parameters, rounded as published
   * @param flops those of Hadamard as a share of dense's
   */
  public record Size(String name, String model, double dense, double hadamard, @Nullable Integer batchTokens, @Nullable Double learningRate,
      @Nullable Double denseLoss, @Nullable Double hadamardLoss, @Nullable Double denseExponent, @Nullable Double hadamardExponent,
      @Nullable Double flops) {}

  /** Reads them. */
  public static Published read() {
    try (var in = Objects.requireNonNull(Published.class.getResourceAsStream(RESOURCE), RESOURCE)) {
      return Json.PRETTY.readValue(in.readAllBytes(), Published.class);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
