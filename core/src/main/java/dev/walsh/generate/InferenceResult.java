package dev.walsh.generate;

import dev.walsh.config.AttentionKind;
import dev.walsh.config.Json;
import dev.walsh.config.UserError;
import dev.walsh.generate.InferenceBenchmark.Kind;
import dev.walsh.generate.InferenceBenchmark.Result;
import dev.walsh.measure.PairedRatio;
import dev.walsh.measure.Rates;
import dev.walsh.measure.Stamp;
import dev.walsh.tensor.Dtype;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import tools.jackson.core.JacksonException;

/**
 * The result line of {@code walsh bench prefill} and {@code walsh bench decode}, as it is printed and kept.
 *
 * @param weights {@code full} or {@code int8}
 * @param graph {@code on} where the GPU got the work as one graph, or {@code off}
 * @param copy_gbs the rate of a copy, GB/s
 * @param gemm_gflops the rate of a large matrix product in this dtype
 */
public record InferenceResult(Kind bench, String dtype, String weights, String graph, double copy_gbs, double gemm_gflops, List<Row> rows,
    Stamp stamp) {
  private static final double MIB = 1 << 20;

  public InferenceResult {
    rows = List.copyOf(rows);
  }

  /**
   * A model in one cell; times in milliseconds, of a step or of a prefill.
   *
   * @param attention the short name of its kind; softmax where a file does not say
   * @param floor_ms the longer of moving weights, cache and states at a copy's rate, and of the products at a large product's
   * @param speedup how many times faster than the cell's first model: the paired median over rounds
   * @param speedup_low of the interval that holds the true median with 95% confidence; NaN where the rounds are too few to say
   * @param floor_speedup what the floors alone would give
   */
  public record Row(String model, String projection, String attention, int batch, int length, double p50_ms, double p99_ms,
      double tokens_per_s,
      double floor_ms, double of_floor, double speedup, double speedup_low, double speedup_high, double floor_speedup, double weights_mib,
      double cache_mib, double workspace_mib) {
    private static final String SOFTMAX = new AttentionKind.Softmax().name();

    public Row {
      attention = attention == null ? SOFTMAX : attention;
    }

    /** Of what was measured, {@code first} being the model that all of the cell are compared with. */
    public static Row of(Kind kind, String model, int batch, int length, Result result, Result first, Rates rates, Dtype dtype) {
      var seconds = result.seconds();
      double median = seconds[seconds.length / 2];
      double tokens = kind == Kind.DECODE ? batch : (double) batch * length;
      double floor = floor(result, rates, dtype);
      var ratio = PairedRatio.of(first.rounds(), result.rounds());
      return new Row(model, result.name(), result.attention(), batch, length, 1e3 * median,
          1e3 * seconds[(int) Math.ceil(0.99 * seconds.length) - 1],
          tokens / median, 1e3 * floor, floor / median, ratio.median(), ratio.low(), ratio.high(), floor(first, rates, dtype) / floor,
          result.weightBytes() / MIB, result.cacheBytes() / MIB, result.workspaceBytes() / MIB);
    }

    private static double floor(Result result, Rates rates, Dtype dtype) {
      return Math.max(result.bytes() / rates.copy(), result.flops() / product(rates, dtype));
    }

    /** The projection, and the attention where that is not softmax: {@code hadamard+hla:2x16}. */
    public String subject() {
      return attention.equals(SOFTMAX) ? projection : projection + "+" + attention;
    }

    /** Whether attention is softmax in all layers. */
    public boolean hasSoftmax() {
      return attention.equals(SOFTMAX);
    }

    /** The memory taken at the peak, in bytes. */
    public double peakBytes() {
      return MIB * (weights_mib + cache_mib + workspace_mib);
    }
  }

  /** The rate of a large matrix product in a dtype, in FLOP/s. */
  public static double product(Rates rates, Dtype dtype) {
    return dtype == Dtype.BF16 ? rates.bfloat16() : rates.float32();
  }

  /**
   * Reads a file that the benchmark wrote.
   *
   * @throws UserError where there is none that can be read
   */
  public static InferenceResult read(Path file) {
    try {
      return Json.LINE.readValue(Files.readAllBytes(file), InferenceResult.class);
    } catch (IOException | JacksonException e) {
      throw new UserError(file + " is no result of 'walsh bench prefill' or 'walsh bench decode'; make it with their --out", e);
    }
  }
}
