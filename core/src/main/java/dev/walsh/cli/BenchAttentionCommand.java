package dev.walsh.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import dev.walsh.config.Json;
import dev.walsh.config.UserError;
import dev.walsh.kernels.hla.AttentionBenchmark;
import dev.walsh.kernels.hla.AttentionBenchmark.Case;
import dev.walsh.kernels.hla.FeatureMap;
import dev.walsh.kernels.hla.HlaSpec;
import dev.walsh.measure.Hardware;
import dev.walsh.measure.Stamp;
import dev.walsh.report.Cell;
import dev.walsh.report.Column;
import dev.walsh.report.Format;
import dev.walsh.report.Table;
import dev.walsh.tensor.Device;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code walsh bench attention}: Hadamard linear attention beside softmax attention, by the length of sequences. */
@Command(name = "attention", description = "Hadamard linear attention beside libtorch's softmax attention, forward and forward with backward, by length.", mixinStandardHelpOptions = true, sortOptions = false, footer = {
    "", "The form is checked against float64 first. Operations are counted by formula, a multiply-add as two; 'of product' is their rate",
    "beside that of a square matrix product, measured in the run. Memory is what is held beyond inputs, outputs and gradients.",
    "", "Examples:", "  walsh bench attention --causal --factors 1 --rank 64",
    "  walsh bench attention --preset video --out results/video.json",
    "  walsh bench attention --device cpu --lengths 256,1024,4096 --heads 2 --dim 64 --rank 16"})
public final class BenchAttentionCommand implements Callable<Integer> {
  private static final int TABLE_WIDTH = 140;
  // A layer of Wan2.1-1.3B: 21 × 30 × 52 places of 12 heads.
  private static final long VIDEO_LENGTH = 32_760;
  private static final int VIDEO_HEADS = 12;
  private static final int VIDEO_DIM = 128;

  @Option(names = "--lengths", paramLabel = "N", split = ",", description = "Tokens of a sequence; 256 to 131072 on the GPU and 256 to 4096 on the CPU by default, in powers of two.")
  private List<Long> lengths = List.of();

  @Option(names = "--tokens", paramLabel = "N", description = "Tokens at once: as many sequences as make that many, one at least; 32768 on the GPU and 4096 on the CPU by default.")
  private @Nullable Long tokens;

  @Option(names = "--heads", paramLabel = "H", defaultValue = "12", description = "Heads (default: ${DEFAULT-VALUE}).")
  private int heads;

  @Option(names = "--dim", paramLabel = "D", defaultValue = "128", description = "Channels of a head (default: ${DEFAULT-VALUE}).")
  private int dim;

  @Option(names = "--factors", paramLabel = "F", split = ",", defaultValue = "2", description = "How many similarities are multiplied, 1 to 3; several are measured one after another (default: ${DEFAULT-VALUE}).")
  private List<Integer> factors = List.of();

  @Option(names = "--rank", paramLabel = "R", split = ",", defaultValue = "32", description = "The features of each factor: one for all of --factors, or one for each (default: ${DEFAULT-VALUE}).")
  private List<Integer> ranks = List.of();

  @Option(names = "--causal", description = "A token sees itself and those before it alone.")
  private boolean causal;

  @Option(names = "--chunk", paramLabel = "C", split = ",", description = "Tokens of a chunk, where attention is causal; the usual one by default.")
  private List<Long> chunks = List.of();

  @Option(names = "--pairs", paramLabel = "N", defaultValue = "4096", description = "The longest sequence for which all pairs are measured too (default: ${DEFAULT-VALUE}).")
  private long mostPairs;

  @Option(names = "--preset", paramLabel = "video", description = "A shape by its name: video is 32,760 tokens of 12 heads of 128, bidirectional.")
  private @Nullable String preset;

  @Option(names = "--out", paramLabel = "FILE.json", description = "Writes the results there.")
  private @Nullable Path out;

  @Mixin
  private DeviceOptions compute = new DeviceOptions();

  @Spec
  private CommandSpec spec = CommandSpec.create();

  /** A row of the result line; times are medians. */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  private record Row(String subject, String pass, long length, long batch, int factors, int rank, @Nullable Long chunk, double ms,
      @JsonProperty("tokens_per_s") double tokensPerSecond, double tflops, @JsonProperty("of_product") double ofProduct,
      @JsonProperty("memory_mib") @Nullable Double memoryMib, @Nullable Double error) {
    static Row of(AttentionBenchmark.Row row, double product) {
      var shape = row.shape();
      var maps = shape.spec().factors();
      boolean isHla = !row.subject().isSoftmax();
      return new Row(row.subject().toString(), row.backward() ? "forward + backward" : "forward", shape.length(), shape.batch(),
          isHla ? maps.size() : 0, isHla ? maps.getFirst().channels(shape.spec().headWidth()) : 0, row.chunk() == 0 ? null : row.chunk(),
          row.seconds() * 1e3, row.tokensPerSecond(), row.operationsPerSecond() * 1e-12, row.operationsPerSecond() / product,
          Double.isNaN(row.memory()) ? null : row.memory() / (1 << 20), Double.isNaN(row.error()) ? null : row.error());
    }
  }

  /** From which length on a way to attend is faster than the softmax attention, at all lengths measured; null for none. */
  private record Crossover(String subject, String against, String pass, int factors, int rank, @Nullable Long chunk,
      @Nullable Long length) {}

  private record Result(String bench, String device, String dtype, boolean causal, int heads, int dim,
      @JsonProperty("product_tflops") double product, List<Row> rows, List<Crossover> crossovers, Stamp stamp) {}

  @Override
  public Integer call() {
    KernelBench.requireJson(out);
    usePreset();
    check();
    var specs = specs();
    var device = compute.device();
    var dtype = compute.dtype(device);
    var banner = Hardware.probe().banner(device.toString());
    spec.commandLine().getErr().println(banner);
    spec.commandLine().getErr().flush();
    double product = DeviceOptions.peakFlops(device, dtype);
    var rows = new ArrayList<Row>();
    for (long length : lengths(device)) {
      long batch = Math.max(1, (tokens == null ? device == Device.CUDA ? 32_768 : 4096 : tokens) / length);
      boolean isFirst = true;
      for (var each : specs) {
        for (long chunk : chunks.isEmpty() ? List.of(0L) : chunks) {
          var shape = new Case(each, dtype, batch, length, chunk);
          for (var row : AttentionBenchmark.run(device, shape, mostPairs, isFirst)) rows.add(Row.of(row, product));
          isFirst = false;
          device.freeUnused();
        }
      }
    }
    var result = new Result(spec.name(), device.toString(), dtype.toString(), causal, heads, dim, product * 1e-12, rows, crossovers(rows),
        Stamp.now(banner, spec.root().commandLine().getParseResult().originalArgs()));
    print(result);
    KernelBench.write(out, result);
    return 0;
  }

  private void usePreset() {
    if (preset == null) return;
    if (!preset.equals("video")) throw new UserError("--preset " + preset + " is unknown; use video");
    if (causal) throw new UserError("--preset video is bidirectional; leave --causal out");
    lengths = List.of(VIDEO_LENGTH);
    heads = VIDEO_HEADS;
    dim = VIDEO_DIM;
  }

  private void check() {
    if (lengths.stream().anyMatch(n -> n < 1)) throw new UserError("--lengths must be positive; no tokens take no time");
    if (tokens != null && tokens < 1) throw new UserError("--tokens is " + tokens + "; give at least 1");
    if (ranks.size() != 1 && ranks.size() != factors.size()) {
      throw new UserError(
          "--rank names " + ranks.size() + " ranks for " + factors.size() + " numbers of factors; give one for all or one for each");
    }
    if (!chunks.isEmpty() && !causal) throw new UserError("--chunk is of causal attention; add --causal or leave it out");
    if (chunks.stream().anyMatch(c -> c < 1)) throw new UserError("--chunk must be positive, such as 256");
  }

  private List<HlaSpec> specs() {
    var specs = new ArrayList<HlaSpec>();
    for (int i = 0; i < factors.size(); i++) {
      var map = new FeatureMap.Softplus(ranks.get(ranks.size() == 1 ? 0 : i));
      specs.add(HlaSpec.of(heads, dim, causal, Collections.nCopies(factors.get(i), map)));
    }
    return specs;
  }

  private List<Long> lengths(Device device) {
    if (!lengths.isEmpty()) return lengths;
    var all = new ArrayList<Long>();
    for (long n = 256; n <= (device == Device.CUDA ? 131_072 : 4096); n *= 2) all.add(n);
    return all;
  }

  private static List<Crossover> crossovers(List<Row> rows) {
    var found = new ArrayList<Crossover>();
    for (var row : rows) {
      if (row.factors == 0 || row.length != rows.getFirst().length) continue;
      for (var against : AttentionBenchmark.Subject.values()) {
        if (!against.isSoftmax() || rows.stream().noneMatch(r -> r.subject.equals(against.toString()))) continue;
        found
            .add(new Crossover(row.subject, against.toString(), row.pass, row.factors, row.rank, row.chunk, crossover(rows, row, against)));
      }
    }
    return found;
  }

  private static @Nullable Long crossover(List<Row> rows, Row like, AttentionBenchmark.Subject against) {
    Long from = null;
    for (var row : rows) {
      boolean isSame = row.subject.equals(like.subject) && row.pass.equals(like.pass) && row.factors == like.factors
          && row.rank == like.rank && Objects.equals(row.chunk, like.chunk);
      if (!isSame) continue;
      double softmax = rows.stream()
          .filter(r -> r.subject.equals(against.toString()) && r.pass.equals(row.pass) && r.length == row.length && r.batch == row.batch)
          .mapToDouble(Row::ms).min().orElse(Double.NaN);
      from = row.ms < softmax ? from == null ? (Long) row.length : from : null;
    }
    return from;
  }

  private void print(Result result) {
    var table = Table.of((causal ? "Causal" : "Bidirectional") + " attention of " + heads + " heads of " + dim + ", medians",
        Column.text("tokens"), Column.text("attention"), Column.text("features"), Column.number("chunk"), Column.text("pass"),
        Column.number("time", "ms"), Column.number("speed", "tokens/s"), Column.number("TFLOP/s"), Column.number("of product"),
        Column.number("memory"), Column.number("error"));
    for (var row : result.rows) {
      table = table.row(Cell.of(row.batch + " × " + row.length), Cell.of(row.subject),
          row.factors == 0 ? Cell.none() : Cell.of(String.join(" × ", Collections.nCopies(row.factors, Integer.toString(row.rank)))),
          row.chunk == null ? Cell.none() : Cell.of(row.chunk.toString()), Cell.of(row.pass), Cell.of(row.ms, Format.PLAIN),
          Cell.of(row.tokensPerSecond, Format.COUNT), Cell.of(row.tflops, Format.PLAIN), KernelBench.share(row.ofProduct),
          row.memoryMib == null ? Cell.none() : Cell.of(row.memoryMib * (1 << 20), Format.BYTES),
          row.error == null ? Cell.none() : KernelBench.error(row.error));
    }
    var to = spec.commandLine().getOut();
    to.println(table.toText(TABLE_WIDTH));
    for (var c : result.crossovers) {
      to.println(c.subject + " " + String.join(" × ", Collections.nCopies(c.factors, Integer.toString(c.rank)))
          + (c.chunk == null ? "" : ", chunks of " + c.chunk) + ", " + c.pass + ": "
          + (c.length == null ? "nowhere faster than " : "faster than ") + c.against
          + (c.length == null ? "" : " from " + c.length + " tokens on"));
    }
    to.println(Json.LINE.writeValueAsString(result));
    to.flush();
  }
}
