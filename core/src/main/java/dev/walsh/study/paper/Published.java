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
 * @param decoding of Table 3, by preset
 * @param prefill of Figure 6
 * @param crossing the batches of Figure 7 from the one to the other of which Hadamard begins to be faster, read off
 */
public record Published(String source, List<Size> sizes, List<Integer> widths, Map<String, Map<String, List<Double>>> accuracy,
    Map<String, Decoding> decoding, Prefill prefill, List<Integer> crossing) {
  private static final String RESOURCE = "published.json";

  public Published {
    accuracy = new LinkedHashMap<>(accuracy);
    decoding = new LinkedHashMap<>(decoding);
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

  /** Decoding at batch 1024 and length 2, dense then Hadamard: peak memory, and tokens a second. */
  public record Decoding(List<Double> megabytes, List<Double> tokensPerSecond) {
    /** How many times faster Hadamard is. */
    public double speedup() {
      return tokensPerSecond.get(1) / tokensPerSecond.get(0);
    }

    /** Hadamard's peak memory as a share of dense's. */
    public double memory() {
      return megabytes.get(1) / megabytes.get(0);
    }
  }

  /**
   * How many times faster Hadamard's prefill is.
   *
   * @param flat the range of nearly all cells
   * @param outliers the cells outside of it
   */
  public record Prefill(List<Double> flat, List<Outlier> outliers) {
    /** A cell of its own. */
    public record Outlier(int batch, int length, double speedup) {}
  }

  /** Reads them. */
  public static Published read() {
    try (var in = Objects.requireNonNull(Published.class.getResourceAsStream(RESOURCE), RESOURCE)) {
      return Json.PRETTY.readValue(in.readAllBytes(), Published.class);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
